"""What the participants of a choreographed checkout say in their feeds, as commands to the order.

A fact carries the facts before it, so it says all that has come about: whichever feed is faster,
the order hears the whole story, and ignores what it knows. Facts of orchestrated checkouts are no
business of ours: whoever made the call has the answer.
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

_BY_STOCK = inventory.RESERVATION_ORIGIN_CHOREOGRAPHED
_BY_MONEY = payment.PAYMENT_ORIGIN_CHOREOGRAPHED


@dataclass(frozen=True, slots=True)
class OrderCommands:
    """What an order is told: everything up to the newest fact, in order."""

    order_id: str
    commands: tuple[Command, ...]


def read(event: Event) -> OrderCommands | None:
    """What a fact says; None where it belongs to no choreographed checkout.

    Raises KeyError for a type that is in neither list, and DecodeError.
    """
    kind, origin, tell = _READERS[event.type]
    fact: Any = kind.FromString(event.payload.value)
    if fact.origin != origin:
        return None
    return OrderCommands(fact.order_id, tell(fact))


def _held(fact: inventory.ReservationHeld) -> tuple[Command, ...]:
    return (
        commands.Reserved(
            lines=tuple(from_reservation_line(line) for line in fact.lines),
            total=from_money(fact.total),
            expire_time=from_timestamp(fact.expire_time),
        ),
    )


def _rejected(fact: inventory.ReservationRejected) -> tuple[Command, ...]:
    return (commands.ReserveRefused(from_reservation_refusal(fact.refusal)),)


def _committed(fact: inventory.ReservationCommitted) -> tuple[Command, ...]:
    return (*_before(fact.history), commands.Committed())


def _expired(fact: inventory.ReservationExpired) -> tuple[Command, ...]:
    refusal = Refusal(RefusalReason.RESERVATION_EXPIRED)
    return (*_before(fact.history), commands.CommitRefused(refusal))


def _authorized(fact: payment.PaymentAuthorized) -> tuple[Command, ...]:
    expire_time = from_timestamp(fact.authorize_expire_time)
    return (*_before(fact.history), commands.Authorized(fact.payment_id, expire_time))


def _declined(fact: payment.PaymentDeclined) -> tuple[Command, ...]:
    refusal = from_authorize_refusal(fact.refusal)
    return (*_before(fact.history), commands.AuthorizeRefused(refusal))


def _captured(fact: payment.PaymentCaptured) -> tuple[Command, ...]:
    """Nothing comes before it that the order didn't know: it asked for the capture itself."""
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
_OF_STOCK: tuple[_Reader, ...] = (
    (inventory.ReservationHeld, _BY_STOCK, _held),
    (inventory.ReservationRejected, _BY_STOCK, _rejected),
    (inventory.ReservationCommitted, _BY_STOCK, _committed),
    (inventory.ReservationExpired, _BY_STOCK, _expired),
)
_OF_MONEY: tuple[_Reader, ...] = (
    (payment.PaymentAuthorized, _BY_MONEY, _authorized),
    (payment.PaymentDeclined, _BY_MONEY, _declined),
    (payment.PaymentCaptured, _BY_MONEY, _captured),
    (payment.CaptureRefused, _BY_MONEY, _not_captured),
)
_READERS = {reader[0].DESCRIPTOR.full_name: reader for reader in (*_OF_STOCK, *_OF_MONEY)}
RESERVATION_TYPES = tuple(kind.DESCRIPTOR.full_name for kind, *_ in _OF_STOCK)
PAYMENT_TYPES = tuple(kind.DESCRIPTOR.full_name for kind, *_ in _OF_MONEY)
