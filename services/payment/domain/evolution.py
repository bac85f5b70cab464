"""Applies events to a payment; `rules.decide` makes the events."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.payment.domain import events
from services.payment.domain.errors import PaymentNotFoundError
from services.payment.domain.events import Event
from services.payment.domain.state import (
    NO_MONEY,
    CaptureAttempt,
    CaptureState,
    Payment,
    PaymentState,
    RefundAttempt,
    RefundState,
    Refusal,
    RefusalReason,
)


def evolve(payment: Payment | None, event: Event, at: datetime) -> Payment:
    """The payment after `event`, which was recorded at the instant `at`."""
    match event:
        case events.AuthorizationRequested():
            return _requested(event, at)
        case events.AuthorizationFenced():
            return _fenced(payment, event, at)
    if payment is None:
        raise PaymentNotFoundError
    moved = replace(payment, version=payment.version + 1, update_time=at)
    match event:
        case events.PaymentAuthorized(reference=reference, expire_time=expire_time):
            return replace(
                moved,
                state=_authorized_state(payment),
                authorization_reference=reference,
                authorize_expire_time=expire_time,
            )
        case events.PaymentDeclined(refusal=refusal, code=code):
            return replace(moved, state=PaymentState.DECLINED, refusal=refusal, decline_code=code)
        case events.VoidRequested(request_id=request_id):
            waits = payment.state is not PaymentState.AUTHORIZED
            state = payment.state if waits else PaymentState.VOIDING
            return replace(moved, state=state, void_request_id=request_id)
        case events.PaymentVoided():
            return replace(moved, state=PaymentState.VOIDED)
        case events.AuthorizationExpired():
            return replace(moved, state=PaymentState.EXPIRED)
        case events.CaptureStarted() | events.PaymentCaptured() | events.CaptureRefused():
            return _after_capture(moved, event)
        case events.RefundRequested():
            return replace(moved, refunds=(*payment.refunds, _asked_for(event, at)))
        case events.RefundSucceeded(refund_id=refund_id):
            return _after_refund(moved, refund_id, RefundState.SUCCEEDED)
        case events.RefundFailed(refund_id=refund_id, refusal=refusal):
            return _after_refund(moved, refund_id, RefundState.FAILED, refusal)


def _requested(event: events.AuthorizationRequested, at: datetime) -> Payment:
    return Payment(
        payment_id=event.payment_id,
        order_id=event.order_id,
        customer_id=event.customer_id,
        state=PaymentState.AUTHORIZING,
        amount=event.amount,
        payment_method=event.payment_method,
        expire_after=event.expire_after,
        authorize_request_id=event.authorize_request_id,
        origin=event.origin,
        history=event.history,
        create_time=at,
        update_time=at,
    )


def _fenced(payment: Payment | None, event: events.AuthorizationFenced, at: datetime) -> Payment:
    tombstone = payment or Payment(
        payment_id=event.payment_id,
        order_id=event.order_id,
        customer_id="",
        state=PaymentState.VOIDED,
        amount=NO_MONEY,
        payment_method="",
        expire_after=timedelta(0),
        authorize_request_id=event.authorize_request_id,
        create_time=at,
        update_time=at,
        version=0,
    )
    return replace(
        tombstone,
        state=PaymentState.VOIDED,
        refusal=Refusal(RefusalReason.AUTHORIZATION_FENCED),
        void_request_id=event.void_request_id,
        version=tombstone.version + 1,
        update_time=at,
    )


def _authorized_state(payment: Payment) -> PaymentState:
    """The state of authorized money: VOIDING if a void waits for it, AUTHORIZED otherwise."""
    return PaymentState.VOIDING if payment.void_request_id else PaymentState.AUTHORIZED


def _after_capture(
    moved: Payment,
    event: events.CaptureStarted | events.PaymentCaptured | events.CaptureRefused,
) -> Payment:
    match event:
        case events.CaptureStarted(request_id=request_id, origin=origin):
            started = CaptureAttempt(request_id, CaptureState.PENDING, origin=origin)
            return replace(moved, state=PaymentState.CAPTURING, captures=(*moved.captures, started))
        case events.PaymentCaptured(request_id=request_id):
            # A void that waited is dropped: it is too late.
            return replace(
                moved,
                state=PaymentState.CAPTURED,
                void_request_id="",
                captures=_with_capture(moved, CaptureAttempt(request_id, CaptureState.CAPTURED)),
            )
        case events.CaptureRefused(request_id=request_id, refusal=refusal, origin=origin):
            refused = CaptureAttempt(request_id, CaptureState.NOT_CAPTURED, refusal, origin)
            was_asked = moved.capture(request_id) is not None
            return replace(
                moved,
                state=_authorized_state(moved) if was_asked else moved.state,
                captures=_with_capture(moved, refused),
            )


def _with_capture(payment: Payment, answered: CaptureAttempt) -> tuple[CaptureAttempt, ...]:
    known = payment.capture(answered.request_id)
    if known is None:
        return (*payment.captures, answered)
    answered = replace(answered, origin=known.origin)
    return tuple(answered if each is known else each for each in payment.captures)


def _asked_for(event: events.RefundRequested, at: datetime) -> RefundAttempt:
    return RefundAttempt(
        event.refund_id,
        event.request_id,
        event.amount,
        RefundState.PENDING,
        create_time=at,
        requester=event.requester,
        reason=event.reason,
    )


def _after_refund(
    moved: Payment, refund_id: str, state: RefundState, refusal: Refusal | None = None
) -> Payment:
    refunds = tuple(
        replace(each, state=state, refusal=refusal, reason="")
        if each.refund_id == refund_id
        else each
        for each in moved.refunds
    )
    return replace(moved, refunds=refunds)
