"""The life of an order as pure functions: what a command makes happen, and what that changes.

    RESERVING -> AUTHORIZING -> COMMITTING -> CAPTURING -> CONFIRMED -> FULFILLING -> FULFILLED
      before the pivot: refusal, cancel or deadline -> CANCELLING -> REJECTED | CANCELLED
    CAPTURING begins at the pivot: only evidence moves it on
    CONFIRMED -- cancel --> REFUNDING -> REFUNDED

The state is the intent: RESERVING means that a reserve may have been sent, so that it is known
what to let go even where the answer never came.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.order.domain import commands, events
from services.order.domain.errors import OrderNotCancellableError, OrderNotFulfillableError
from services.order.domain.events import Cause, Coordination, Event, Refusal, RefusalReason
from services.order.domain.state import BEFORE_PIVOT, REFUND, STEPS, Order, OrderState, Review

# Why a step needs review, where no participant gave a reason.
REFUND_REFUSED = "REFUND_REFUSED"
STEP_OVERDUE = "STEP_OVERDUE"


def decide(  # noqa: C901, PLR0912 - one arm a command
    order: Order, command: commands.Command, *, now: datetime, terms: commands.Terms
) -> tuple[Event, ...]:
    """What `command` makes happen to `order`; nothing where it is so already.

    Raises OrderNotCancellableError and OrderNotFulfillableError.
    """
    match command, order.state:
        case commands.Place(), OrderState.UNPLACED:
            return (_placed(command, now, terms),)
        case commands.Cancel(reason), _:
            return _cancel(order, reason)
        case commands.Fulfill(), _:
            return _fulfill(order)
        case commands.Reserved(lines, total, expire_time), OrderState.RESERVING:
            return (events.StockReserved(order.reservation_id, lines, total, expire_time),)
        case commands.ReserveRefused(refusal), OrderState.RESERVING:
            # Nothing is held and nothing was asked of payment: it ends where it began.
            return (
                _refused(refusal, stock_asked=False, payment_asked=False),
                events.OrderRejected(),
            )
        case commands.Authorized(payment_id, expire_time), OrderState.AUTHORIZING:
            return (events.PaymentAuthorized(payment_id, expire_time),)
        case commands.AuthorizeRefused(refusal), OrderState.AUTHORIZING:
            return (_refused(refusal, stock_asked=True, payment_asked=False),)
        case commands.Committed(), OrderState.COMMITTING:
            return (_pivot(order, now, terms),)
        case commands.CommitRefused(refusal), OrderState.COMMITTING:
            return (_refused(refusal, stock_asked=True, payment_asked=True),)
        case commands.Captured(amount), OrderState.CAPTURING:
            return _captured(order, events.OrderConfirmed(amount))
        case commands.NotCaptured(refusal), OrderState.CAPTURING:
            return (_not_captured(order, refusal),)
        case commands.Compensated(), OrderState.CANCELLING:
            was_refused = order.cause is Cause.REFUSED
            return (events.OrderRejected() if was_refused else events.OrderCancelled(),)
        case commands.Fulfilled(), OrderState.FULFILLING:
            return (events.OrderFulfilled(),)
        case commands.Refunded(amount), OrderState.REFUNDING:
            return (events.OrderRefunded(amount),)
        case commands.RefundFailed(), OrderState.REFUNDING if not has_finally_failed(order):
            return (events.ReviewRequested(REFUND, REFUND_REFUSED),)
        case commands.RetryStep(), OrderState.REFUNDING if has_finally_failed(order):
            return (events.StepRetried(REFUND, order.attempt_of(REFUND) + 1),)
        case commands.DeadlinePassed(), state if state in BEFORE_PIVOT:
            return (_let_go(order, Cause.DEADLINE_PASSED),)
        case commands.StepFailed(step, reason), state if step in STEPS.get(state, ()):
            return _step_failed(order, step, reason)
        case commands.StepOverdue(step), state if step in STEPS.get(state, ()):
            return _needs_review(order, step, STEP_OVERDUE)
        case _:
            # An answer to a step that the order has left behind changes nothing any more.
            return ()


def has_finally_failed(order: Order) -> bool:
    """Whether its step was refused for good, so that only a new attempt can help."""
    return order.review == Review(REFUND, REFUND_REFUSED)


def _placed(command: commands.Place, now: datetime, terms: commands.Terms) -> events.OrderPlaced:
    return events.OrderPlaced(
        customer_id=command.customer_id,
        lines=command.lines,
        payment_method=command.payment_method,
        expected_total=command.expected_total,
        coordination=command.coordination,
        deadline=now + terms.deadline,
        hold_ttl=terms.hold_ttl,
        authorization_ttl=terms.authorization_ttl,
    )


def _cancel(order: Order, reason: str) -> tuple[Event, ...]:
    match order.state:
        case OrderState.FULFILLING | OrderState.FULFILLED:
            raise OrderNotCancellableError(order.order_id, state=order.state.name)
        case OrderState.CONFIRMED:
            return (events.RefundStarted(reason),)
        case OrderState.CAPTURING if not order.cancel_requested:
            # Only evidence moves it on: the answer to the capture decides what the cancel becomes.
            return (events.CancelRequested(reason),)
        case state if state in BEFORE_PIVOT:
            return (_let_go(order, Cause.CANCELLED, reason=reason),)
        case _:
            return ()


def _fulfill(order: Order) -> tuple[Event, ...]:
    match order.state:
        case OrderState.CONFIRMED:
            return (events.FulfillmentStarted(),)
        case OrderState.FULFILLING | OrderState.FULFILLED:
            return ()
        case _:
            raise OrderNotFulfillableError(order.order_id, state=order.state.name)


def _refused(
    refusal: Refusal, *, stock_asked: bool, payment_asked: bool
) -> events.CancellationStarted:
    """A stored refusal spares its own step the compensation: the participant holds nothing."""
    return events.CancellationStarted(
        Cause.REFUSED, stock_asked=stock_asked, payment_asked=payment_asked, refusal=refusal
    )


def _let_go(
    order: Order, cause: Cause, *, refusal: Refusal | None = None, reason: str = ""
) -> events.CancellationStarted:
    """Everything that the state says may have been asked for.

    Participants that follow each other may be ahead of what they told: then it may be everything.
    """
    told_all = order.coordination is Coordination.ORCHESTRATED
    return events.CancellationStarted(
        cause,
        stock_asked=True,
        payment_asked=not (told_all and order.state is OrderState.RESERVING),
        refusal=refusal,
        reason=reason,
    )


def _pivot(order: Order, now: datetime, terms: commands.Terms) -> Event:
    """Past here only evidence counts, so there must be time to capture what is authorized."""
    in_time = now < order.deadline and now + terms.capture_budget < order.authorize_expire_time
    if not in_time:
        return _let_go(order, Cause.DEADLINE_PASSED)
    return events.CaptureRequested(order.payment_id, order.coordination)


def _captured(order: Order, confirmed: events.OrderConfirmed) -> tuple[Event, ...]:
    if order.cancel_requested:
        return (confirmed, events.RefundStarted(order.cancel_reason))
    return (confirmed,)


def _not_captured(order: Order, refusal: Refusal) -> events.CancellationStarted:
    """The first recorded cause decides: a cancel that waited for the capture came first."""
    if order.cancel_requested:
        return _let_go(order, Cause.CANCELLED, reason=order.cancel_reason)
    return _let_go(order, Cause.REFUSED, refusal=refusal)


def _step_failed(order: Order, step: str, reason: str) -> tuple[Event, ...]:
    """Nothing was stored, so whether it had an effect is not certain: let its step go as well.

    Past the pivot, and while letting go, an error is no evidence: it needs an operator's eyes.
    """
    if order.state not in BEFORE_PIVOT:
        return _needs_review(order, step, reason)
    refusal = Refusal(RefusalReason.STEP_FAILED, {"step": step, "reason": reason})
    return (
        _let_go(order, Cause.REFUSED, refusal=refusal),
        events.ReviewRequested(step, reason),
    )


def _needs_review(order: Order, step: str, reason: str) -> tuple[Event, ...]:
    """Once is enough; a reason that a participant gave says more than that it takes long."""
    is_known = order.review is not None and (
        reason == STEP_OVERDUE or order.review.reason != STEP_OVERDUE
    )
    return () if is_known else (events.ReviewRequested(step, reason),)


def evolve(order: Order, event: Event, at: datetime) -> Order:  # noqa: C901 - one arm an event
    """The order after `event`, which was recorded `at` that instant."""
    match event:
        case events.OrderPlaced():
            return _place(order, event, at)
        case events.StockReserved(lines=lines, total=total):
            return _moved(order, at, OrderState.AUTHORIZING, lines=lines, total=total)
        case events.PaymentAuthorized(payment_id, expire_time):
            authorized = {"payment_id": payment_id, "authorize_expire_time": expire_time}
            return _moved(order, at, OrderState.COMMITTING, **authorized)
        case events.CaptureRequested():
            return _moved(order, at, OrderState.CAPTURING, pivot_passed=True)
        case events.OrderConfirmed():
            return _moved(order, at, OrderState.CONFIRMED)
        case events.CancelRequested(reason):
            return _noted(order, at, cancel_requested=True, cancel_reason=reason)
        case events.CancellationStarted():
            return _start_cancelling(order, event, at)
        case events.OrderRejected():
            return _moved(order, at, OrderState.REJECTED)
        case events.OrderCancelled():
            return _moved(order, at, OrderState.CANCELLED)
        case events.FulfillmentStarted():
            return _moved(order, at, OrderState.FULFILLING)
        case events.OrderFulfilled():
            return _moved(order, at, OrderState.FULFILLED)
        case events.RefundStarted(reason):
            cancelled = {"cause": Cause.CANCELLED, "cancel_reason": reason}
            return _moved(order, at, OrderState.REFUNDING, **cancelled)
        case events.OrderRefunded():
            return _moved(order, at, OrderState.REFUNDED)
        case events.ReviewRequested(step, reason):
            return _noted(order, at, review=Review(step, reason))
        case events.StepRetried(step, attempt):
            return _moved(order, at, order.state, attempts={**order.attempts, step: attempt})


def _noted(order: Order, at: datetime, **changes: Any) -> Order:
    """A fact that leaves the order at its step."""
    return replace(order, version=order.version + 1, update_time=at, **changes)


def _moved(order: Order, at: datetime, state: OrderState, **changes: Any) -> Order:
    """Progress: a new step begins, and what needed review before is history."""
    return _noted(order, at, state=state, step_since=at, review=None, **changes)


def _place(order: Order, event: events.OrderPlaced, at: datetime) -> Order:
    return _moved(
        order,
        at,
        OrderState.RESERVING,
        customer_id=event.customer_id,
        lines=event.lines,
        payment_method=event.payment_method,
        expected_total=event.expected_total,
        coordination=event.coordination,
        deadline=event.deadline,
        hold_ttl=event.hold_ttl,
        authorization_ttl=event.authorization_ttl,
        create_time=at,
    )


def _start_cancelling(order: Order, event: events.CancellationStarted, at: datetime) -> Order:
    return _moved(
        order,
        at,
        OrderState.CANCELLING,
        cause=event.cause,
        refusal=event.refusal,
        cancel_reason=event.reason,
        stock_asked=event.stock_asked,
        payment_asked=event.payment_asked,
    )
