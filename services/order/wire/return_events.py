"""Converts the events of returns and refunds to the messages of order_event.proto and back."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from tradepost.order.v1 import order_event_pb2 as pb

from services.chassis.request.wire_values import from_money, to_money
from services.order.domain import events
from services.order.wire.values import add_lines, from_line


def to_message(event: events.ReturnEvent) -> Message:
    """Return the message of an event."""
    match event:
        case events.ReturnStarted(return_id, lines, amount, reason):
            message = pb.ReturnStarted(return_id=return_id, amount=to_money(amount), reason=reason)
            add_lines(message.lines, lines)
            return message
        case events.ReturnAmountReduced(return_id, amount, attempt):
            return pb.ReturnAmountReduced(
                return_id=return_id, amount=to_money(amount), attempt=attempt
            )
        case events.ReturnCompleted(return_id, refund_id, amount):
            return pb.ReturnCompleted(
                return_id=return_id, refund_id=refund_id, refunded_amount=to_money(amount)
            )
        case events.OrderReturned():
            return pb.OrderReturned()
        case events.RefundObserved(refund_id, amount, requester, reason):
            return pb.RefundObserved(
                refund_id=refund_id,
                refunded_amount=to_money(amount),
                requester=requester,
                reason=reason,
            )


def _started(message: pb.ReturnStarted) -> events.ReturnStarted:
    lines = tuple(from_line(line) for line in message.lines)
    return events.ReturnStarted(
        message.return_id, lines, from_money(message.amount), message.reason
    )


def _reduced(message: pb.ReturnAmountReduced) -> events.ReturnAmountReduced:
    amount = from_money(message.amount)
    return events.ReturnAmountReduced(message.return_id, amount, message.attempt)


def _completed(message: pb.ReturnCompleted) -> events.ReturnCompleted:
    amount = from_money(message.refunded_amount)
    return events.ReturnCompleted(message.return_id, message.refund_id, amount)


def _observed(message: pb.RefundObserved) -> events.RefundObserved:
    amount = from_money(message.refunded_amount)
    return events.RefundObserved(message.refund_id, amount, message.requester, message.reason)


# The function that reads each message.
READERS: tuple[tuple[type[Message], Callable[[Any], events.Event]], ...] = (
    (pb.ReturnStarted, _started),
    (pb.ReturnAmountReduced, _reduced),
    (pb.ReturnCompleted, _completed),
    (pb.OrderReturned, lambda _: events.OrderReturned()),
    (pb.RefundObserved, _observed),
)
