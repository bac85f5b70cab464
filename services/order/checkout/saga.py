"""The checkout saga: what an order needs next, in the form that the saga runner carries out.

The steps come from `domain.steps`. Until the pivot each step has a compensation. The pivot is the
capture: its intent is recorded before the call is sent, and from then on only payment's evidence
moves the order. What follows a confirmed order (fulfill, refund, return) runs without a deadline.

The participants of a choreographed order take its checkout steps by themselves until its deadline:
they follow each other's events, and `checkout.consumer` records what they report. The runner takes
the steps that are left after that.
"""

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection

from services.chassis.saga.model import Contradiction, Done, Pending, Plan, Step, StepCall
from services.chassis.store.unit.needs import Needs
from services.chassis.telemetry.correlation import Correlation
from services.order.checkout.participants import StepAction
from services.order.domain import commands
from services.order.domain.commands import Command
from services.order.domain.state import Order, OrderState
from services.order.domain.steps import (
    BEFORE_PIVOT,
    CHECKOUT_STATES,
    COMPENSATIONS,
    STEPS_BY_STATE,
    OrderStep,
)
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import OrderRecorder

CheckoutStep: TypeAlias = Step[LoadedOrder, Command]
CheckoutPlan: TypeAlias = Plan[LoadedOrder, Command]
Stages: TypeAlias = tuple[tuple[CheckoutStep, ...], ...]


class CheckoutSaga:
    """What the saga runner needs to know about orders (`services.chassis.saga.model.Saga`).

    `actions` are the calls by step name. Raises KeyError for a step without a call.
    """

    def __init__(
        self, *, actions: Mapping[str, StepAction], streams: OrderStreams, recorder: OrderRecorder
    ) -> None:
        self._streams = streams
        self._recorder = recorder
        self._stages = {
            state: tuple((_bound(step, actions),) for step in steps)
            for state, steps in STEPS_BY_STATE.items()
        }

    def plan(self, state: LoadedOrder) -> CheckoutPlan | None:
        """Return what the order needs next; None when it is settled."""
        order = state.order
        match order.state:
            case OrderState.CANCELLING:
                return Plan(self._compensations(order), conclusion=commands.Compensated())
            case checkout if checkout in CHECKOUT_STATES:
                return Plan(
                    self._stages[checkout],
                    deadline=order.deadline if checkout in BEFORE_PIVOT else None,
                    not_before=order.choreographed_until,
                )
            case after if after in self._stages:
                return Plan(self._stages[after])
            case _:
                return None

    def _compensations(self, order: Order) -> Stages:
        """Return the compensations of all participants that may have been asked.

        They run together before the pivot. After the pivot money goes first: the stock is
        released only when the void is final.
        """
        stages = self._stages[OrderState.CANCELLING]
        due = tuple(step for (step,) in stages if step.participant in order.asked)
        return tuple((step,) for step in due) if order.pivot_passed else (due,)

    def load(self, connection: Connection, subject: str) -> LoadedOrder:
        """Return the newest version of the order. Raises OrderNotFoundError."""
        return self._streams.load(connection, subject)

    def needs(self, subject: str) -> Needs:
        """Return what `refresh` and `record` read."""
        return self._streams.needs(subject)

    def refresh(self, connection: Connection, state: LoadedOrder) -> LoadedOrder:
        """Return the newest version of an order that was loaded before."""
        return self._streams.newest(connection, state)

    def record(self, connection: Connection, state: LoadedOrder, answer: Command) -> LoadedOrder:
        """Carry out the command; its cause is the newest event of the loaded order."""
        return self._recorder.record(connection, state, answer, causation_id=state.event_id)

    def origin(self, state: LoadedOrder) -> Correlation:
        """Return the correlation of the order's first event."""
        return state.origin

    def since(self, state: LoadedOrder) -> datetime:
        """Return when the current step began."""
        return state.order.step_since

    def attempt(self, state: LoadedOrder, step: str) -> int:
        """Return the attempt of a step; only RetrySaga raises it."""
        return state.order.attempt_of(step)

    def needs_review(self, state: LoadedOrder) -> bool:
        """Return whether an operator was asked to look at the current step."""
        return state.order.review is not None

    def deadline_passed(self) -> Command:
        """Return the command for an order whose deadline has passed."""
        return commands.DeadlinePassed()

    def step_failed(self, step: str, reason: str) -> Command:
        """Return the command for a step that a participant answered with a final error."""
        return commands.StepFailed(step, reason)

    def step_overdue(self, step: str) -> Command:
        """Return the command for a step that takes too long."""
        return commands.StepOverdue(step)


def _bound(step: OrderStep, actions: Mapping[str, StepAction]) -> CheckoutStep:
    """Return a declared step with its call, and with the one that undoes it."""
    call = actions[step.name]

    def action(
        loaded: LoadedOrder, step_call: StepCall
    ) -> Awaitable[Command | Done | Pending | Contradiction]:
        return call(loaded.order, step_call)

    undo = next((each for each in COMPENSATIONS if each.name == step.compensation), None)
    compensation = None if undo is None else _bound(undo, actions)
    return Step(step.name, step.participant, action, compensation, step.is_pivot)
