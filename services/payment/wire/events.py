"""Converts events to the messages of payment_event.proto, which the event log stores.

They do not contain the payment method, except in the history of a choreographed checkout.
"""

from functools import singledispatch

from google.protobuf.message import Message
from tradepost.inventory.v1.inventory_event_pb2 import CheckoutHistory
from tradepost.payment.v1 import payment_event_pb2 as pb

from services.chassis.log.event_log import NewEvent
from services.chassis.request.enum_numbers import enum_numbers
from services.chassis.request.wire_values import to_money, to_timestamp
from services.chassis.saga.model import CHOREOGRAPHY
from services.payment.domain import events
from services.payment.domain.state import Origin
from services.payment.wire.replies import to_decline_code, to_refusal

_ORIGINS = enum_numbers(Origin, pb.PaymentOrigin.Value, "PAYMENT_ORIGIN")


def to_new_event(event: events.Event) -> NewEvent:
    """The event as the log stores it."""
    message = to_message(event)
    is_choreographed = getattr(event, "origin", None) is Origin.CHOREOGRAPHED
    return NewEvent(
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
        topic=CHOREOGRAPHY if is_choreographed else "",
    )


@singledispatch
def to_message(event: object) -> Message:
    """The message of an event. Raises TypeError for anything else."""
    raise TypeError(f"{event!r} is no event of a payment")


@to_message.register
def _(event: events.AuthorizationRequested) -> Message:
    return pb.AuthorizationRequested(
        payment_id=event.payment_id,
        order_id=event.order_id,
        customer_id=event.customer_id,
        amount=to_money(event.amount),
        authorize_request_id=event.authorize_request_id,
        origin=_ORIGINS[event.origin],
    )


@to_message.register
def _(event: events.PaymentAuthorized) -> Message:
    return pb.PaymentAuthorized(
        payment_id=event.payment_id,
        order_id=event.order_id,
        amount=to_money(event.amount),
        authorize_expire_time=to_timestamp(event.expire_time),
        origin=_ORIGINS[event.origin],
        history=_to_history(event.history),
    )


@to_message.register
def _(event: events.PaymentDeclined) -> Message:
    return pb.PaymentDeclined(
        payment_id=event.payment_id,
        order_id=event.order_id,
        refusal=to_refusal(event.refusal),
        decline_code=to_decline_code(event.code),
        origin=_ORIGINS[event.origin],
        history=_to_history(event.history),
    )


@to_message.register
def _(event: events.CaptureStarted) -> Message:
    return pb.CaptureStarted(
        payment_id=event.payment_id,
        request_id=event.request_id,
        origin=_ORIGINS[event.origin],
    )


@to_message.register
def _(event: events.PaymentCaptured) -> Message:
    return pb.PaymentCaptured(
        payment_id=event.payment_id,
        order_id=event.order_id,
        amount=to_money(event.amount),
        request_id=event.request_id,
        origin=_ORIGINS[event.origin],
    )


@to_message.register
def _(event: events.CaptureRefused) -> Message:
    return pb.CaptureRefused(
        payment_id=event.payment_id,
        order_id=event.order_id,
        request_id=event.request_id,
        refusal=to_refusal(event.refusal),
        origin=_ORIGINS[event.origin],
    )


@to_message.register
def _(event: events.VoidRequested) -> Message:
    return pb.VoidRequested(
        payment_id=event.payment_id, reason=event.reason, request_id=event.request_id
    )


@to_message.register
def _(event: events.PaymentVoided) -> Message:
    return pb.PaymentVoided(
        payment_id=event.payment_id,
        order_id=event.order_id,
        authorize_request_id=event.authorize_request_id,
    )


@to_message.register
def _(event: events.AuthorizationFenced) -> Message:
    return pb.PaymentVoided(
        payment_id=event.payment_id,
        order_id=event.order_id,
        authorize_request_id=event.authorize_request_id,
        tombstone=True,
        reason=event.reason,
    )


@to_message.register
def _(event: events.AuthorizationExpired) -> Message:
    return pb.AuthorizationExpired(payment_id=event.payment_id)


@to_message.register
def _(event: events.RefundRequested) -> Message:
    return pb.RefundRequested(
        payment_id=event.payment_id,
        refund_id=event.refund_id,
        request_id=event.request_id,
        amount=to_money(event.amount),
        reason=event.reason,
    )


@to_message.register
def _(event: events.RefundSucceeded) -> Message:
    return pb.RefundSucceeded(
        payment_id=event.payment_id,
        order_id=event.order_id,
        refund_id=event.refund_id,
        amount=to_money(event.amount),
        request_id=event.request_id,
        requester=event.requester,
        reason=event.reason,
        paid_outside=event.paid_outside,
    )


@to_message.register
def _(event: events.RefundFailed) -> Message:
    return pb.RefundFailed(
        payment_id=event.payment_id,
        refund_id=event.refund_id,
        refusal=to_refusal(event.refusal),
    )


def _to_history(history: bytes) -> CheckoutHistory | None:
    return CheckoutHistory.FromString(history) if history else None
