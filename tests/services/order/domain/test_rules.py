"""The rules of orders as pure functions, without store, clock or protobuf."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.domain.money import Money
from services.order.domain import commands, events, reviews
from services.order.domain.commands import Command, Terms
from services.order.domain.errors import OrderNotCancellableError, OrderNotFulfillableError
from services.order.domain.events import Cause, Coordination, Event, Line, Refusal, RefusalReason
from services.order.domain.rules import decide, evolve
from services.order.domain.state import Order, OrderState, Review
from services.order.domain.steps import ASKED_AT_MOST, INVENTORY, PAYMENT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TERMS = Terms(
    deadline=timedelta(seconds=30),
    hold_ttl=timedelta(seconds=120),
    authorization_ttl=timedelta(days=7),
    capture_budget=timedelta(seconds=30),
)
TEN_DOLLARS = Money("USD", 1_000)
PRICED = (Line("milk", 2, "Milk", Money("USD", 500), TEN_DOLLARS),)
NEXT_WEEK = NOON + timedelta(days=7)

PLACE = commands.Place("ann", (Line("milk", 2),), "pm_visa", None, Coordination.ORCHESTRATED)
RESERVED = commands.Reserved(PRICED, TEN_DOLLARS, NOON + timedelta(seconds=120))
AUTHORIZED = commands.Authorized("pay_1", NEXT_WEEK)
CAPTURED = commands.Captured(TEN_DOLLARS)
NOT_CAPTURED = commands.NotCaptured(Refusal(RefusalReason.PAYMENT_NOT_CAPTURED, {"why": "no"}))
SHORT = Refusal(RefusalReason.INSUFFICIENT_STOCK)
DECLINED = Refusal(RefusalReason.PAYMENT_DECLINED, {"decline_code": "EXPIRED_CARD"})
OUT_OF_STOCK = commands.StepRefused("reserve", SHORT)
PAYMENT_DECLINED = commands.StepRefused("authorize", DECLINED)
CANCEL = commands.Cancel("changed my mind")

WAY_TO_CAPTURING = (PLACE, RESERVED, AUTHORIZED, commands.Committed())
WAY_TO_CONFIRMED = (*WAY_TO_CAPTURING, CAPTURED)


def after(*asked: Command, now: datetime = NOON) -> Order:
    """Return the order after these commands."""
    order = Order("ord_1")
    for command in asked:
        for event in decide(order, command, now=now, terms=TERMS):
            order = evolve(order, event, now)
    return order


def decided(order: Order, command: Command, now: datetime = NOON) -> tuple[Event, ...]:
    """Return the events of a command."""
    return decide(order, command, now=now, terms=TERMS)


def test_the_happy_path_takes_five_events() -> None:
    """Each step of a confirmed order adds exactly one event."""
    order = after(*WAY_TO_CONFIRMED)
    assert (order.state, order.version) == (OrderState.CONFIRMED, 5)
    assert (order.lines, order.total, order.payment_id) == (PRICED, TEN_DOLLARS, "pay_1")


def test_an_order_records_every_constant_of_its_steps() -> None:
    """A step that is repeated later under other settings has the same request."""
    (placed,) = decided(Order("ord_1"), PLACE)
    assert isinstance(placed, events.OrderPlaced)
    assert placed.deadline == NOON + TERMS.deadline
    assert (placed.hold_ttl, placed.authorization_ttl) == (TERMS.hold_ttl, TERMS.authorization_ttl)


def test_a_refused_reserve_ends_the_order_in_one_write() -> None:
    """Nothing is held and payment was never called, so nothing has to be compensated."""
    order = after(PLACE, OUT_OF_STOCK)
    assert (order.state, order.refusal, order.version) == (OrderState.REJECTED, SHORT, 3)
    assert order.asked == frozenset()


def test_a_decline_releases_the_stock_without_a_void() -> None:
    """A stored refusal of a step makes its compensation unnecessary."""
    order = after(PLACE, RESERVED, PAYMENT_DECLINED)
    assert (order.state, order.asked) == (OrderState.CANCELLING, {INVENTORY})
    ended = after(PLACE, RESERVED, PAYMENT_DECLINED, commands.Compensated())
    assert (ended.state, ended.refusal) == (OrderState.REJECTED, DECLINED)


def test_an_expired_hold_voids_the_payment() -> None:
    """The commit was refused, but the money is set aside."""
    expired = Refusal(RefusalReason.RESERVATION_EXPIRED)
    order = after(PLACE, RESERVED, AUTHORIZED, commands.StepRefused("commit", expired))
    assert (order.state, order.asked) == (OrderState.CANCELLING, {INVENTORY, PAYMENT})


@pytest.mark.parametrize(
    ("way", "step", "asked"),
    [
        ((PLACE,), "reserve", {INVENTORY}),
        ((PLACE, RESERVED), "authorize", {INVENTORY, PAYMENT}),
        ((PLACE, RESERVED, AUTHORIZED), "commit", {INVENTORY, PAYMENT}),
    ],
)
def test_an_error_compensates_its_own_step_as_well(
    way: tuple[Command, ...], step: str, asked: set[str]
) -> None:
    """After an error nothing is stored, and the effect is uncertain: an operator has to look."""
    order = after(*way, commands.StepFailed(step, "BROKEN"))
    assert order.state is OrderState.CANCELLING
    assert order.asked == asked
    assert order.refusal == Refusal(RefusalReason.STEP_FAILED, {"step": step, "reason": "BROKEN"})
    assert order.review == Review(step, "BROKEN")
    ended = after(*way, commands.StepFailed(step, "BROKEN"), commands.Compensated())
    assert (ended.state, ended.review, ended.needs_review) == (OrderState.REJECTED, None, True)


def test_after_the_pivot_an_error_is_no_evidence() -> None:
    """The money may have been taken: the order keeps its state and needs review once."""
    order = after(*WAY_TO_CAPTURING, commands.StepFailed("capture", "BROKEN"))
    assert (order.state, order.review) == (OrderState.CAPTURING, Review("capture", "BROKEN"))
    assert decided(order, commands.StepFailed("capture", "BROKEN")) == ()
    confirmed = after(*WAY_TO_CAPTURING, commands.StepFailed("capture", "BROKEN"), CAPTURED)
    assert (confirmed.state, confirmed.needs_review) == (OrderState.CONFIRMED, False)


def test_the_pivot_is_not_passed_after_the_deadline() -> None:
    """CaptureRequested is appended only while now < deadline."""
    ready = after(PLACE, RESERVED, AUTHORIZED)
    just_before = ready.deadline - timedelta(microseconds=1)
    assert decided(ready, commands.Committed(), just_before) == (events.CaptureRequested("pay_1"),)
    (too_late,) = decided(ready, commands.Committed(), ready.deadline)
    assert too_late == events.CancellationStarted(Cause.DEADLINE_PASSED, ASKED_AT_MOST)


def test_the_pivot_is_not_passed_when_the_authorization_could_expire() -> None:
    """now + capture budget < the expiry that the processor itself reported."""
    expires = NOON + TERMS.capture_budget
    ready = after(PLACE, RESERVED, commands.Authorized("pay_1", expires))
    (too_late,) = decided(ready, commands.Committed(), NOON)
    assert isinstance(too_late, events.CancellationStarted)
    ready = after(PLACE, RESERVED, commands.Authorized("pay_1", expires + timedelta(seconds=1)))
    assert decided(ready, commands.Committed(), NOON) == (events.CaptureRequested("pay_1"),)


@pytest.mark.parametrize("command", [CANCEL, commands.DeadlinePassed()])
def test_participants_may_be_ahead_of_what_they_reported(command: Command) -> None:
    """A choreographed order also voids the payment when no event has arrived."""
    followed = replace(PLACE, coordination=Coordination.CHOREOGRAPHED)
    assert after(followed, command).asked == {INVENTORY, PAYMENT}
    assert after(followed, OUT_OF_STOCK).asked == frozenset()


@pytest.mark.parametrize("way", [WAY_TO_CAPTURING[:number] for number in (1, 2, 3)])
def test_the_deadline_ends_an_order_before_the_pivot(way: tuple[Command, ...]) -> None:
    """The order ends CANCELLED, and everything it may have asked for is compensated."""
    order = after(*way, commands.DeadlinePassed(), commands.Compensated())
    assert (order.state, order.cause) == (OrderState.CANCELLED, Cause.DEADLINE_PASSED)
    assert (PAYMENT in order.asked) is (len(way) > 1)


def test_the_deadline_means_nothing_after_the_pivot() -> None:
    """In CAPTURING only evidence changes the order."""
    assert decided(after(*WAY_TO_CAPTURING), commands.DeadlinePassed()) == ()


@pytest.mark.parametrize("way", [WAY_TO_CAPTURING[:number] for number in (1, 2, 3)])
def test_a_cancel_before_the_pivot_compensates_at_once(way: tuple[Command, ...]) -> None:
    """Calls that the state may have sent are compensated, and the order ends CANCELLED."""
    order = after(*way, CANCEL, commands.Compensated())
    assert (order.state, order.cause, order.cancel_reason) == (
        OrderState.CANCELLED,
        Cause.CANCELLED,
        "changed my mind",
    )


def test_a_cancel_while_capturing_waits_for_the_evidence() -> None:
    """It is recorded once; a captured answer then confirms and refunds in one write."""
    waiting = after(*WAY_TO_CAPTURING, CANCEL)
    assert (waiting.state, waiting.cancel_requested) == (OrderState.CAPTURING, True)
    assert decided(waiting, commands.Cancel("again")) == ()
    assert decided(waiting, CAPTURED) == (
        events.OrderConfirmed(TEN_DOLLARS),
        events.RefundStarted("changed my mind"),
    )


def test_the_first_recorded_cause_decides() -> None:
    """A cancel that waited for a capture that failed makes the order CANCELLED, not REJECTED."""
    cancelled = after(*WAY_TO_CAPTURING, CANCEL, NOT_CAPTURED, commands.Compensated())
    assert (cancelled.state, cancelled.refusal) == (OrderState.CANCELLED, None)
    rejected = after(*WAY_TO_CAPTURING, NOT_CAPTURED, CANCEL, commands.Compensated())
    assert rejected.state is OrderState.REJECTED
    assert rejected.refusal is not None
    assert rejected.refusal.reason is RefusalReason.PAYMENT_NOT_CAPTURED


def test_a_confirmed_order_is_refunded_when_it_is_cancelled() -> None:
    """It goes through REFUNDING; a second cancel changes nothing."""
    order = after(*WAY_TO_CONFIRMED, CANCEL)
    assert (order.state, order.cause) == (OrderState.REFUNDING, Cause.CANCELLED)
    assert decided(order, CANCEL) == ()
    refunded = after(*WAY_TO_CONFIRMED, CANCEL, commands.Refunded(TEN_DOLLARS))
    assert refunded.state is OrderState.REFUNDED
    assert decided(refunded, CANCEL) == ()


def test_an_order_that_is_shipped_cannot_be_cancelled() -> None:
    """FULFILLING and FULFILLED refuse a cancel and name the state."""
    leaving = after(*WAY_TO_CONFIRMED, commands.Fulfill())
    left = after(*WAY_TO_CONFIRMED, commands.Fulfill(), commands.Fulfilled())
    assert (leaving.state, left.state) == (OrderState.FULFILLING, OrderState.FULFILLED)
    for order in (leaving, left):
        with pytest.raises(OrderNotCancellableError) as refused:
            decided(order, CANCEL)
        assert refused.value.facts["state"] == order.state.name
        assert decided(order, commands.Fulfill()) == ()


@pytest.mark.parametrize("way", [WAY_TO_CAPTURING[:number] for number in (1, 2, 3, 4)])
def test_only_a_confirmed_order_is_fulfilled(way: tuple[Command, ...]) -> None:
    """Before it is confirmed, and after a cancel, an order cannot be fulfilled."""
    for order in (after(*way), after(*WAY_TO_CONFIRMED, CANCEL)):
        with pytest.raises(OrderNotFulfillableError):
            decided(order, commands.Fulfill())


def test_a_failed_refund_needs_an_operator_and_a_new_attempt() -> None:
    """The attempt grows only by a retry after a recorded final failure."""
    refunding = after(*WAY_TO_CONFIRMED, CANCEL)
    assert decided(refunding, commands.RetryStep()) == ()
    failed = after(*WAY_TO_CONFIRMED, CANCEL, commands.RefundFailed())
    assert failed.review == Review("refund", reviews.REFUND_REFUSED)
    assert decided(failed, commands.RefundFailed()) == ()
    assert decided(failed, commands.RetryStep()) == (events.StepRetried("refund", 2),)
    retried = after(*WAY_TO_CONFIRMED, CANCEL, commands.RefundFailed(), commands.RetryStep())
    assert (retried.attempt_of("refund"), retried.attempt_of("release")) == (2, 1)
    assert (retried.state, retried.review) == (OrderState.REFUNDING, None)
    assert decided(retried, commands.RetryStep()) == ()


def test_a_step_that_takes_too_long_is_reviewed_once_and_progress_clears_it() -> None:
    """A reason that a participant gave replaces STEP_OVERDUE."""
    slow = after(*WAY_TO_CAPTURING, commands.StepOverdue("capture"))
    assert slow.review == Review("capture", reviews.STEP_OVERDUE)
    assert decided(slow, commands.StepOverdue("capture")) == ()
    failed = decided(slow, commands.StepFailed("capture", "BROKEN"))
    assert failed == (events.ReviewRequested("capture", "BROKEN"),)
    assert after(*WAY_TO_CAPTURING, commands.StepOverdue("capture"), CAPTURED).review is None


LATE_ANSWERS: tuple[Command, ...] = (
    RESERVED,
    OUT_OF_STOCK,
    AUTHORIZED,
    PAYMENT_DECLINED,
    commands.Committed(),
    commands.StepRefused("commit", SHORT),
    CAPTURED,
    NOT_CAPTURED,
    commands.Compensated(),
    commands.Fulfilled(),
    commands.Refunded(TEN_DOLLARS),
    commands.RefundFailed(),
    commands.DeadlinePassed(),
    commands.StepFailed("reserve", "BROKEN"),
    commands.StepFailed("capture", "BROKEN"),
    commands.StepOverdue("refund"),
    commands.RetryStep(),
)


@pytest.mark.parametrize("late", LATE_ANSWERS, ids=lambda late: type(late).__name__)
def test_final_orders_ignore_late_answers(late: Command) -> None:
    """Nothing changes a FULFILLED, REJECTED, CANCELLED or REFUNDED order."""
    ends = (
        after(*WAY_TO_CONFIRMED, commands.Fulfill(), commands.Fulfilled()),
        after(PLACE, OUT_OF_STOCK),
        after(PLACE, CANCEL, commands.Compensated()),
        after(*WAY_TO_CONFIRMED, CANCEL, commands.Refunded(TEN_DOLLARS)),
    )
    for order in ends:
        assert order.is_final
        assert decided(order, late) == ()


def test_an_answer_to_a_step_that_was_cancelled_changes_nothing() -> None:
    """The compensation has started, and makes the participant refuse the late call."""
    cancelling = after(PLACE, RESERVED, CANCEL)
    for late in (AUTHORIZED, PAYMENT_DECLINED):
        assert decided(cancelling, late) == ()
    assert decided(cancelling, commands.StepFailed("authorize", "BROKEN")) == ()


def test_evolve_counts_versions_and_keeps_time() -> None:
    """Every event is a version; an event within a step keeps the step's start."""
    later = NOON + timedelta(seconds=5)
    order = evolve(after(*WAY_TO_CAPTURING), events.CancelRequested("why"), later)
    assert (order.version, order.update_time, order.step_since) == (5, later, NOON)
    moved = evolve(order, events.OrderConfirmed(TEN_DOLLARS), later)
    assert (moved.version, moved.step_since, moved.create_time) == (6, later, NOON)
    assert replace(order, version=0).reservation_id == "rsv_1"
