"""Converts the events of participants in a choreographed checkout to commands on the order.

An event carries the history before it, so its commands cover everything up to it: the order gets
all of them whichever feed is faster, and ignores those it has already carried out. Events of
orchestrated checkouts are skipped, because the saga gets the same answers from its calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1 import inventory_event_pb2 as inventory
from tradepost.payment.v1 import payment_event_pb2 as payment

from services.chassis.request.wire_values import from_money, from_timestamp
from services.order.checkout.inventory_calls import from_reservation_line, from_reservation_refusal
from services.order.checkout.payment_calls import from_authorize_refusal, from_capture_refusal
from services.order.domain import commands
from services.order.domain.commands import Command
from services.order.domain.events import Refusal, RefusalReason
from services.order.domain.steps import AUTHORIZE, COMMIT, RESERVE

_STOCK_ORIGIN = inventory.RESERVATION_ORIGIN_CHOREOGRAPHED
_PAYMENT_ORIGIN = payment.PAYMENT_ORIGIN_CHOREOGRAPHED


@dataclass(frozen=True, slots=True)
class OrderCommands:
    """The commands to one order, in their order, up to the newest event."""

    order_id: str
    commands: tuple[Command, ...]


def read_event(event: Event) -> OrderCommands | None:
    """Return the commands of an event; None when its checkout is not choreographed.

    Raises KeyError for a type that is in neither list, and DecodeError.
    """
    kind, origin, to_commands = _READERS[event.type]
    message: Any = kind.FromString(event.payload.value)
    if message.origin != origin:
        return None
    return OrderCommands(message.order_id, to_commands(message))


def _held(fact: inventory.ReservationHeld) -> tuple[Command, ...]:
    return (
        commands.Reserved(
            lines=tuple(from_reservation_line(line) for line in fact.lines),
            total=from_money(fact.total),
            expire_time=from_timestamp(fact.expire_time),
        ),
    )


def _rejected(fact: inventory.ReservationRejected) -> tuple[Command, ...]:
    return (commands.StepRefused(RESERVE, from_reservation_refusal(fact.refusal)),)


def _committed(fact: inventory.ReservationCommitted) -> tuple[Command, ...]:
    return (*_before(fact.history), commands.Committed())


def _expired(fact: inventory.ReservationExpired) -> tuple[Command, ...]:
    refusal = Refusal(RefusalReason.RESERVATION_EXPIRED)
    return (*_before(fact.history), commands.StepRefused(COMMIT, refusal))


def _authorized(fact: payment.PaymentAuthorized) -> tuple[Command, ...]:
    expire_time = from_timestamp(fact.authorize_expire_time)
    return (*_before(fact.history), commands.Authorized(fact.payment_id, expire_time))


def _declined(fact: payment.PaymentDeclined) -> tuple[Command, ...]:
    refusal = from_authorize_refusal(fact.refusal)
    return (*_before(fact.history), commands.StepRefused(AUTHORIZE, refusal))


def _captured(fact: payment.PaymentCaptured) -> tuple[Command, ...]:
    """Return the command alone: the order itself asked for the capture, so it knows the history."""
    return (commands.Captured(from_money(fact.amount)),)


def _not_captured(fact: payment.CaptureRefused) -> tuple[Command, ...]:
    return (commands.NotCaptured(from_capture_refusal(fact.refusal)),)


def _before(history: inventory.CheckoutHistory) -> tuple[Command, ...]:
    held = _held(history.held)
    if not history.payment_id:
        return held
    expire_time = from_timestamp(history.authorize_expire_time)
    return (*held, commands.Authorized(history.payment_id, expire_time))


_Reader = tuple[type[Message], int, Callable[[Any], tuple[Command, ...]]]
_STOCK_READERS: tuple[_Reader, ...] = (
    (inventory.ReservationHeld, _STOCK_ORIGIN, _held),
    (inventory.ReservationRejected, _STOCK_ORIGIN, _rejected),
    (inventory.ReservationCommitted, _STOCK_ORIGIN, _committed),
    (inventory.ReservationExpired, _STOCK_ORIGIN, _expired),
)
_PAYMENT_READERS: tuple[_Reader, ...] = (
    (payment.PaymentAuthorized, _PAYMENT_ORIGIN, _authorized),
    (payment.PaymentDeclined, _PAYMENT_ORIGIN, _declined),
    (payment.PaymentCaptured, _PAYMENT_ORIGIN, _captured),
    (payment.CaptureRefused, _PAYMENT_ORIGIN, _not_captured),
)
_READERS = {
    reader[0].DESCRIPTOR.full_name: reader for reader in (*_STOCK_READERS, *_PAYMENT_READERS)
}
RESERVATION_TYPES = tuple(kind.DESCRIPTOR.full_name for kind, *_ in _STOCK_READERS)
PAYMENT_TYPES = tuple(kind.DESCRIPTOR.full_name for kind, *_ in _PAYMENT_READERS)
