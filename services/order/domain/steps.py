"""The steps of an order, each declared once, and what follows from these declarations.

A step is one call of one participant. `STEPS` says for each step who carries it out, which state
of the order intends it and which call undoes it; everything else here is derived from that tuple.
`checkout/participants.py` binds each name to the call. A new step is a line in `STEPS`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.order.domain.state import Order, OrderState

INVENTORY = "inventory"
PAYMENT = "payment"

RESERVE = "reserve"
AUTHORIZE = "authorize"
COMMIT = "commit"
CAPTURE = "capture"
VOID = "void"
RELEASE = "release"
FULFILL = "fulfill"
REFUND = "refund"
RESTOCK = "restock"
REFUND_RETURN = "refund-return"


@dataclass(frozen=True, slots=True)
class OrderStep:
    """One call of one participant.

    An order is in `state` before the call is sent; steps of the same state follow each other.
    `compensation` is the call of the same participant that undoes the step, whether or not the
    step's own call arrived. Only evidence of its outcome moves an order past the pivot.
    """

    name: str
    participant: str
    state: OrderState
    compensation: str = ""
    is_pivot: bool = False


STEPS = (
    OrderStep(RESERVE, INVENTORY, OrderState.RESERVING, compensation=RELEASE),
    OrderStep(AUTHORIZE, PAYMENT, OrderState.AUTHORIZING, compensation=VOID),
    OrderStep(COMMIT, INVENTORY, OrderState.COMMITTING, compensation=RELEASE),
    OrderStep(CAPTURE, PAYMENT, OrderState.CAPTURING, is_pivot=True),
    # After the checkout.
    OrderStep(FULFILL, INVENTORY, OrderState.FULFILLING),
    OrderStep(RELEASE, INVENTORY, OrderState.REFUNDING),
    OrderStep(REFUND, PAYMENT, OrderState.REFUNDING),
    # Both are carried out once for each return, under ids of their own.
    OrderStep(RESTOCK, INVENTORY, OrderState.RETURNING),
    OrderStep(REFUND_RETURN, PAYMENT, OrderState.RETURNING),
)


def _compensations(steps: Iterable[OrderStep]) -> tuple[OrderStep, ...]:
    """Return one step for each compensation, the last one first."""
    undoing = {
        step.compensation: OrderStep(step.compensation, step.participant, OrderState.CANCELLING)
        for step in steps
        if step.compensation
    }
    return tuple(reversed(undoing.values()))


def _steps_by_state(steps: Iterable[OrderStep]) -> Mapping[OrderState, tuple[OrderStep, ...]]:
    by_state: defaultdict[OrderState, tuple[OrderStep, ...]] = defaultdict(tuple)
    for step in steps:
        by_state[step.state] += (step,)
    return dict(by_state)


def _participants(steps: Iterable[OrderStep]) -> frozenset[str]:
    """Return the participants of which something has to be undone after these steps."""
    return frozenset(step.participant for step in steps if step.compensation)


_PIVOT = next(number for number, step in enumerate(STEPS) if step.is_pivot)
_CHECKOUT_STEPS = STEPS[: _PIVOT + 1]

BEFORE_PIVOT = frozenset(step.state for step in STEPS[:_PIVOT])
CHECKOUT_STATES = frozenset(step.state for step in _CHECKOUT_STEPS)
COMPENSATIONS = _compensations(_CHECKOUT_STEPS)

# The steps that an order in a state has to take, in this order.
STEPS_BY_STATE = _steps_by_state((*STEPS, *COMPENSATIONS))

# The participants that may have been asked for something that has to be undone: by an order in a
# state of the checkout, by an order whose participants run ahead of it, and before a step.
ASKED_IN_STATE = {
    step.state: _participants(STEPS[: number + 1]) for number, step in enumerate(_CHECKOUT_STEPS)
}
ASKED_AT_MOST = _participants(_CHECKOUT_STEPS)
ASKED_BEFORE_STEP = {
    step.name: _participants(STEPS[:number]) for number, step in enumerate(_CHECKOUT_STEPS)
}


def is_step_of(state: OrderState, name: str) -> bool:
    """Return whether an order in this state takes the step of this name."""
    return any(step.name == name for step in STEPS_BY_STATE.get(state, ()))


def due_steps(order: Order) -> tuple[OrderStep, ...]:
    """Return the steps of its state; of the compensations, those of participants in `asked`."""
    steps = STEPS_BY_STATE.get(order.state, ())
    if order.state is not OrderState.CANCELLING:
        return steps
    return tuple(step for step in steps if step.participant in order.asked)
