"""The life of an order as pure functions: the events of a command, and the order after an event.

    RESERVING -> AUTHORIZING -> COMMITTING -> CAPTURING -> CONFIRMED -> FULFILLING -> FULFILLED
      before the pivot: refusal, cancel or deadline -> CANCELLING -> REJECTED | CANCELLED
    CAPTURING begins at the pivot: only evidence of the outcome ends it
    CONFIRMED -- cancel --> REFUNDING -> REFUNDED
    FULFILLED -- return --> RETURNING -> FULFILLED | RETURNED: see `return_rules`

What somebody did at a participant directly arrives as a step's answer, and moves the order too:
    CANCELLING -- the payment was captured --> CONFIRMED -> REFUNDING
    REFUNDING -- the goods have left --> FULFILLED

The state is the intent: in RESERVING a reserve may have been sent. So a cancellation knows what to
undo even when an answer never arrived.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.order.domain import commands, events, return_rules
from services.order.domain.errors import OrderNotCancellableError, OrderNotFulfillableError
from services.order.domain.events import Cause, Coordination, Event, Refusal, RefusalReason
from services.order.domain.reviews import (
    REFUND_REFUSED,
    REFUND_STEPS,
    RESERVATION_FULFILLED,
    STEP_OVERDUE,
    end_of_cancellation,
    next_refund,
    refund_was_refused,
    request_review,
    retry,
    stock_is_gone,
)
from services.order.domain.state import GONE, Order, OrderState, Review
from services.order.domain.steps import (
    ASKED_AT_MOST,
    ASKED_BEFORE_STEP,
    ASKED_IN_STATE,
    BEFORE_PIVOT,
    RELEASE,
    is_step_of,
)


def decide(  # noqa: C901, PLR0912 - one arm a command
    order: Order, command: commands.Command, *, now: datetime, terms: commands.Terms
) -> tuple[Event, ...]:
    """Return the events of `command` on `order`; none when the command was already carried out.

    Raises OrderNotCancellableError, OrderNotFulfillableError, OrderNotReturnableError,
    ReturnExceedsFulfilledError and RetryCannotHelpError.
    """
    match command, order.state:
        case commands.Place(), OrderState.UNPLACED:
            return (_placed(command, now, terms),)
        case commands.Cancel(reason), _:
            return _cancel(order, reason)
        case commands.Fulfill(reason), _:
            return _fulfill(order, reason)
        case returning, _ if isinstance(returning, commands.ReturnCommand):
            return return_rules.decide(order, returning)
        case commands.Reserved(lines, total, expire_time), OrderState.RESERVING:
            return (events.StockReserved(order.reservation_id, lines, total, expire_time),)
        case commands.Authorized(payment_id, expire_time), OrderState.AUTHORIZING:
            return (events.PaymentAuthorized(payment_id, expire_time),)
        case commands.Committed(), OrderState.COMMITTING:
            return (_pivot(order, now, terms),)
        case commands.StepRefused(step, refusal), state if state in BEFORE_PIVOT and is_step_of(
            state, step
        ):
            return _refused(step, refusal)
        case commands.Captured(amount), OrderState.CAPTURING:
            return _captured(order, events.OrderConfirmed(amount))
        case commands.Captured(amount, payment_id), OrderState.CANCELLING:
            # Somebody else captured the payment: the order was paid, so the money goes back.
            confirmed = events.OrderConfirmed(amount, payment_id)
            return (confirmed, events.RefundStarted(order.cancel_reason))
        case commands.NotCaptured(refusal), OrderState.CAPTURING:
            return (_not_captured(order, refusal),)
        case commands.Compensated(), OrderState.CANCELLING:
            return (end_of_cancellation(order),)
        case commands.Fulfilled(), OrderState.FULFILLING | OrderState.REFUNDING:
            return (events.OrderFulfilled(),)
        case commands.Fulfilled(), OrderState.CANCELLING:
            return request_review(order, RELEASE, RESERVATION_FULFILLED)
        case commands.Refunded(amount), OrderState.REFUNDING:
            return (events.OrderRefunded(amount),)
        case commands.RefundFailed(), state if state in REFUND_STEPS and not refund_was_refused(
            order
        ):
            return (events.ReviewRequested(REFUND_STEPS[state], REFUND_REFUSED),)
        case commands.RefundIncomplete(), OrderState.REFUNDING:
            return (next_refund(order),)
        case commands.RetryStep(reason), _:
            return retry(order, reason)
        case commands.DeadlinePassed(), state if state in BEFORE_PIVOT:
            return (_start_cancellation(order, Cause.DEADLINE_PASSED),)
        case commands.StepFailed(step, reason), state if is_step_of(state, step):
            return _step_failed(order, step, reason)
        case commands.StepOverdue(step), state if is_step_of(state, step):
            return request_review(order, step, STEP_OVERDUE)
        case _:
            # A late answer, to a step that the order has already left, changes nothing.
            return ()


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
        case OrderState.FULFILLING if stock_is_gone(order):
            return (events.RefundStarted(reason),)
        case state if state in GONE:
            raise OrderNotCancellableError(order.order_id, state=state.name)
        case OrderState.CONFIRMED:
            return (events.RefundStarted(reason),)
        case OrderState.CAPTURING if not order.cancel_requested:
            # The answer to the capture decides whether this cancels the order or refunds it.
            return (events.CancelRequested(reason),)
        case state if state in BEFORE_PIVOT:
            return (_start_cancellation(order, Cause.CANCELLED, reason=reason),)
        case _:
            return ()


def _fulfill(order: Order, reason: str) -> tuple[Event, ...]:
    match order.state:
        case OrderState.CONFIRMED:
            return (events.FulfillmentStarted(reason),)
        case state if state in GONE:
            return ()
        case _:
            raise OrderNotFulfillableError(order.order_id, state=order.state.name)


def _refused(step: str, refusal: Refusal) -> tuple[Event, ...]:
    """Return the events of a stored refusal: the participant holds nothing for this step.

    So only the steps before it have compensations. Without any, the order ends in the same write.
    """
    asked = ASKED_BEFORE_STEP[step]
    started = events.CancellationStarted(Cause.REFUSED, asked, refusal=refusal)
    return (started,) if asked else (started, events.OrderRejected())


def _start_cancellation(
    order: Order, cause: Cause, *, refusal: Refusal | None = None, reason: str = ""
) -> events.CancellationStarted:
    """Return the event after which everything that may have been asked for is undone.

    The participants of a choreographed order can be ahead of what the order has recorded, so all
    of them may have been asked.
    """
    is_orchestrated = order.coordination is Coordination.ORCHESTRATED
    asked = ASKED_IN_STATE[order.state] if is_orchestrated else ASKED_AT_MOST
    return events.CancellationStarted(cause, asked, refusal=refusal, reason=reason)


def _pivot(order: Order, now: datetime, terms: commands.Terms) -> Event:
    """Return CaptureRequested while there is time to capture the authorization.

    After the pivot nothing but the outcome of the capture ends the state, not even the deadline.
    """
    in_time = now < order.deadline and now + terms.capture_budget < order.authorize_expire_time
    if not in_time:
        return _start_cancellation(order, Cause.DEADLINE_PASSED)
    return events.CaptureRequested(order.payment_id, order.coordination)


def _captured(order: Order, confirmed: events.OrderConfirmed) -> tuple[Event, ...]:
    if order.cancel_requested:
        return (confirmed, events.RefundStarted(order.cancel_reason))
    return (confirmed,)


def _not_captured(order: Order, refusal: Refusal) -> events.CancellationStarted:
    """Return the cancellation: by the customer if a cancel waited for the capture, else refused."""
    if order.cancel_requested:
        return _start_cancellation(order, Cause.CANCELLED, reason=order.cancel_reason)
    return _start_cancellation(order, Cause.REFUSED, refusal=refusal)


def _step_failed(order: Order, step: str, reason: str) -> tuple[Event, ...]:
    """Return the events of a final error.

    The participant stored nothing, so the step may have had an effect: it is compensated, too.
    After the pivot, and of a compensation, an error proves nothing: an operator has to look.
    """
    if order.state not in BEFORE_PIVOT:
        return request_review(order, step, reason)
    refusal = Refusal(RefusalReason.STEP_FAILED, {"step": step, "reason": reason})
    return (
        _start_cancellation(order, Cause.REFUSED, refusal=refusal),
        events.ReviewRequested(step, reason),
    )


def evolve(order: Order, event: Event, at: datetime) -> Order:  # noqa: C901, PLR0912 - one arm an event
    """Return the order after `event`, which was recorded `at` that instant."""
    match event:
        case events.OrderPlaced():
            return _after_placed(order, event, at)
        case events.StockReserved(lines=lines, total=total):
            return _moved(order, at, OrderState.AUTHORIZING, lines=lines, total=total)
        case events.PaymentAuthorized(payment_id, expire_time):
            authorized = {"payment_id": payment_id, "authorize_expire_time": expire_time}
            return _moved(order, at, OrderState.COMMITTING, **authorized)
        case events.CaptureRequested():
            return _moved(order, at, OrderState.CAPTURING, pivot_passed=True)
        case events.OrderConfirmed():
            return _after_confirmed(order, event, at)
        case events.CancelRequested(reason):
            return _noted(order, at, cancel_requested=True, cancel_reason=reason)
        case events.CancellationStarted():
            return _after_cancellation_started(order, event, at)
        case events.OrderRejected():
            return _moved(order, at, OrderState.REJECTED)
        case events.OrderCancelled():
            return _moved(order, at, OrderState.CANCELLED)
        case events.FulfillmentStarted():
            return _moved(order, at, OrderState.FULFILLING)
        case events.OrderFulfilled():
            return _moved(order, at, OrderState.FULFILLED, cause=Cause.NONE)
        case events.RefundStarted(reason):
            # The first cause decides: an order may have been refused before its payment was taken.
            cancelled = {"cause": order.cause or Cause.CANCELLED, "cancel_reason": reason}
            return _moved(order, at, OrderState.REFUNDING, **cancelled)
        case events.OrderRefunded(amount):
            return _moved(order, at, OrderState.REFUNDED, refunded=amount)
        case returning if isinstance(returning, events.ReturnEvent):
            return return_rules.evolve(order, returning, at)
        case events.ReviewRequested(step, reason):
            return _noted(order, at, review=Review(step, reason))
        case events.StepRetried(step, attempt):
            return _moved(order, at, order.state, attempts={**order.attempts, step: attempt})


def _noted(order: Order, at: datetime, **changes: Any) -> Order:
    """Return the order after an event that leaves it at its step."""
    return replace(order, version=order.version + 1, update_time=at, **changes)


def _moved(order: Order, at: datetime, state: OrderState, **changes: Any) -> Order:
    """Return the order at a new step, with no review pending."""
    return _noted(order, at, state=state, step_since=at, review=None, **changes)


def _after_placed(order: Order, event: events.OrderPlaced, at: datetime) -> Order:
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


def _after_confirmed(order: Order, event: events.OrderConfirmed, at: datetime) -> Order:
    """Return the paid order; the event fills in what the order had not learnt of its payment."""
    paid = {
        "payment_id": order.payment_id or event.payment_id,
        "total": order.total or event.captured_amount,
    }
    return _moved(order, at, OrderState.CONFIRMED, **paid)


def _after_cancellation_started(
    order: Order, event: events.CancellationStarted, at: datetime
) -> Order:
    return _moved(
        order,
        at,
        OrderState.CANCELLING,
        cause=event.cause,
        refusal=event.refusal,
        cancel_reason=event.reason,
        asked=event.asked,
    )
