"""Why an operator has to look at an order, and what RetrySaga does then.

    reason                   what ends it
    REFUND_REFUSED           RetrySaga asks for the refund again, under a new request id; or
                             RefundPayment records that it was paid outside of the processor
    STEP_OVERDUE             the participant's answer; RetrySaga asks for it at once
    RESERVATION_ENDED        CancelOrder: the stock was given away, so the order can't be shipped
    RESERVATION_FULFILLED    RetrySaga ends the order; its goods left although it was never paid
    REQUEST_ID_REUSED        RetrySaga takes the step under a new request id: its own was used up
    any other                is a participant's error: RetrySaga, when its cause is mended

docs/operations/stuck-orders.md has the command for each of them.
"""

from services.order.domain import events
from services.order.domain.errors import RetryCannotHelpError
from services.order.domain.events import Cause, Event
from services.order.domain.state import Order, OrderState, Review
from services.order.domain.steps import FULFILL, REFUND, REFUND_RETURN, RELEASE, is_step_of

REFUND_REFUSED = "REFUND_REFUSED"
STEP_OVERDUE = "STEP_OVERDUE"
RESERVATION_ENDED = "RESERVATION_ENDED"
RESERVATION_FULFILLED = "RESERVATION_FULFILLED"
# What every participant answers to a request id that it knows with another request.
REQUEST_ID_REUSED = "REQUEST_ID_REUSED"

# The step that refunds money, by the state of the order.
REFUND_STEPS = {OrderState.REFUNDING: REFUND, OrderState.RETURNING: REFUND_RETURN}
_REFUND_REVIEWS = tuple(Review(step, REFUND_REFUSED) for step in REFUND_STEPS.values())
_STOCK_REVIEW = Review(FULFILL, RESERVATION_ENDED)
_UNPAID_REVIEW = Review(RELEASE, RESERVATION_FULFILLED)


def request_review(order: Order, step: str, reason: str) -> tuple[Event, ...]:
    """Ask for review once; again when a participant's reason can replace STEP_OVERDUE.

    The review of a step that the order has left, such as the one that was refused before a
    cancellation, is replaced too.
    """
    known = order.review
    if known is None or not is_step_of(order.state, known.step):
        return (events.ReviewRequested(step, reason),)
    is_replaced = known.reason == STEP_OVERDUE and reason != STEP_OVERDUE
    return (events.ReviewRequested(step, reason),) if is_replaced else ()


def refund_was_refused(order: Order) -> bool:
    """Return whether its step was refused for good, so that only a new attempt can help."""
    return order.review in _REFUND_REVIEWS


def stock_is_gone(order: Order) -> bool:
    """Return whether it is to be shipped and inventory has nothing for it any more."""
    return order.review == _STOCK_REVIEW


def retry(order: Order, reason: str) -> tuple[Event, ...]:
    """Return the events of RetrySaga; none where the same call is sent again.

    Raises RetryCannotHelpError where that call would always get the same answer.
    """
    if refund_was_refused(order):
        return (next_refund(order, reason),)
    if order.review is not None and _id_was_used_up(order, order.review):
        return (_next_attempt(order, order.review.step, reason),)
    if order.review == _UNPAID_REVIEW:
        return (end_of_cancellation(order),)
    if stock_is_gone(order):
        raise RetryCannotHelpError(
            order.order_id, step=FULFILL, reason=RESERVATION_ENDED, instead="CancelOrder"
        )
    return ()


def next_refund(order: Order, reason: str = "") -> events.StepRetried:
    """Return the start of another refund, under a request id of its own."""
    return _next_attempt(order, REFUND_STEPS[order.state], reason)


def _next_attempt(order: Order, step: str, reason: str) -> events.StepRetried:
    return events.StepRetried(step, order.attempt_of(step) + 1, reason)


def _id_was_used_up(order: Order, review: Review) -> bool:
    """Return whether somebody used the request id of a step for something else.

    So the order's own request was never carried out under it.
    """
    return review.reason == REQUEST_ID_REUSED and is_step_of(order.state, review.step)


def end_of_cancellation(order: Order) -> Event:
    """Return the end of an order of which nothing is held and nothing was charged."""
    was_refused = order.cause is Cause.REFUSED
    return events.OrderRejected() if was_refused else events.OrderCancelled()
