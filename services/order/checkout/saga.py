"""The checkout saga: reserve, authorize, commit, capture; and how to let go what was asked for.

Before the pivot every step has a compensation beside it. The pivot is the capture: its intent is
recorded before it is sent, and from then on only payment's evidence moves the order. What comes
after a confirmed order (fulfil, refund) runs on the same machinery, without a deadline.

The forward steps of a choreographed order are its participants' until its deadline: they follow
each other's events, and `checkout_consumer` records what they say. What is left then, is done here.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection

from services.chassis.saga.model import Contradiction, Done, Pending, Plan, Step, StepCall
from services.chassis.telemetry.correlation import Correlation
from services.order.checkout.inventory_calls import INVENTORY, InventoryCalls
from services.order.checkout.payment_calls import PAYMENT, PaymentCalls
from services.order.domain import commands
from services.order.domain.commands import Command
from services.order.domain.state import (
    AUTHORIZE,
    CAPTURE,
    COMMIT,
    FULFILL,
    REFUND,
    RELEASE,
    RESERVE,
    VOID,
    Order,
    OrderState,
)
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import Recorder

# The kind of a checkout's lease.
CHECKOUT = "checkout"

CheckoutStep: TypeAlias = Step[LoadedOrder, Command]
CheckoutPlan: TypeAlias = Plan[LoadedOrder, Command]
Answer: TypeAlias = Command | Done | Pending | Contradiction


def checkout_steps(inventory: InventoryCalls, payment: PaymentCalls) -> tuple[CheckoutStep, ...]:
    """The way to a confirmed order, each step with what makes up for it."""
    release = _step(RELEASE, INVENTORY, inventory.release)
    void = _step(VOID, PAYMENT, payment.void)
    return (
        _step(RESERVE, INVENTORY, inventory.reserve, compensation=release),
        _step(AUTHORIZE, PAYMENT, payment.authorize, compensation=void),
        _step(COMMIT, INVENTORY, inventory.commit, compensation=release),
        _step(CAPTURE, PAYMENT, payment.capture, is_pivot=True),
    )


class Checkout:
    """What the saga runner needs to know of orders."""

    def __init__(
        self,
        *,
        inventory: InventoryCalls,
        payment: PaymentCalls,
        store: OrderStreams,
        recorder: Recorder,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._steps = checkout_steps(inventory, payment)
        self._forward = dict(zip(_FORWARD, self._steps, strict=True))
        self._release = _step(RELEASE, INVENTORY, inventory.release)
        self._fulfill = _step(FULFILL, INVENTORY, inventory.fulfill)
        self._refund = _step(REFUND, PAYMENT, payment.refund)

    def plan(self, state: LoadedOrder) -> CheckoutPlan | None:
        """What the order needs next; nothing once it is settled."""
        order = state.order
        match order.state:
            case forward if forward in self._forward:
                step = self._forward[forward]
                return Plan(
                    ((step,),),
                    deadline=None if step.is_pivot else order.deadline,
                    not_before=order.left_to_others_until,
                )
            case OrderState.CANCELLING:
                return Plan(self._compensations(order), conclusion=commands.Compensated())
            case OrderState.FULFILLING:
                return Plan(((self._fulfill,),))
            case OrderState.REFUNDING:
                return Plan(((self._release,), (self._refund,)))
            case _:
                return None

    def _compensations(self, order: Order) -> tuple[tuple[CheckoutStep, ...], ...]:
        """What makes up for all that may have been asked for.

        Before the pivot together; after it money goes first, and stock waits for the final void.
        """
        asked = {INVENTORY: order.stock_asked, PAYMENT: order.payment_asked}
        due = dict.fromkeys(
            step.compensation
            for step in self._steps
            if step.compensation is not None and asked[step.participant]
        )
        backwards = tuple(reversed(due))
        return tuple((step,) for step in backwards) if order.pivot_passed else (backwards,)

    def load(self, connection: Connection, subject: str) -> LoadedOrder:
        """The order as it stands. Raises OrderNotFoundError."""
        return self._store.load(connection, subject)

    def refresh(self, connection: Connection, state: LoadedOrder) -> LoadedOrder:
        """The order as it stands by now."""
        return self._store.catch_up(connection, state)

    def record(self, connection: Connection, state: LoadedOrder, answer: Command) -> LoadedOrder:
        """Decide and store; the event that the state stands on led here."""
        return self._recorder.record(connection, state, answer, causation_id=state.event_id)

    def origin(self, state: LoadedOrder) -> Correlation:
        """The story that OrderPlaced belongs to."""
        return state.origin

    def since(self, state: LoadedOrder) -> datetime:
        """When the current step began."""
        return state.order.step_since

    def attempt(self, state: LoadedOrder, step: str) -> int:
        """Grows only by RetrySaga."""
        return state.order.attempt_of(step)

    def needs_review(self, state: LoadedOrder) -> bool:
        """Whether an operator was asked to look at the current step."""
        return state.order.review is not None

    def deadline_passed(self) -> Command:
        """The order's time is over."""
        return commands.DeadlinePassed()

    def step_failed(self, step: str, reason: str) -> Command:
        """A participant refused a step for good."""
        return commands.StepFailed(step, reason)

    def step_overdue(self, step: str) -> Command:
        """A step takes too long."""
        return commands.StepOverdue(step)


_FORWARD = (
    OrderState.RESERVING,
    OrderState.AUTHORIZING,
    OrderState.COMMITTING,
    OrderState.CAPTURING,
)


def _step(
    name: str,
    participant: str,
    ask: Callable[[Order, StepCall], Awaitable[Answer]],
    *,
    compensation: CheckoutStep | None = None,
    is_pivot: bool = False,
) -> CheckoutStep:
    """A step of the saga: one call about the order, whatever the log knows beside it."""

    def action(loaded: LoadedOrder, call: StepCall) -> Awaitable[Answer]:
        return ask(loaded.order, call)

    return Step(name, participant, action, compensation=compensation, is_pivot=is_pivot)
