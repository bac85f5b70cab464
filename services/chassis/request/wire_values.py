"""Instants, spans of time and money as Protobuf messages, and back.

Instants and spans are whole microseconds on both sides, so nothing is rounded.
"""

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.type.v1 import money_pb2

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros

_MICROS_PER_S = 1_000_000
_NANOS_PER_MICRO = 1_000
_MICROSECOND = timedelta(microseconds=1)


def to_timestamp(instant: datetime) -> Timestamp:
    """The message of an instant in UTC."""
    seconds, micros = divmod(to_micros(instant), _MICROS_PER_S)
    return Timestamp(seconds=seconds, nanos=micros * _NANOS_PER_MICRO)


def from_timestamp(message: Timestamp) -> datetime:
    """The instant in UTC; the Unix epoch for an empty message."""
    return from_micros(message.seconds * _MICROS_PER_S + message.nanos // _NANOS_PER_MICRO)


def to_duration(span: timedelta) -> Duration:
    """The message of a span of time that is not negative."""
    seconds, micros = divmod(span // _MICROSECOND, _MICROS_PER_S)
    return Duration(seconds=seconds, nanos=micros * _NANOS_PER_MICRO)


def from_duration(message: Duration) -> timedelta:
    """The span of time."""
    return timedelta(seconds=message.seconds, microseconds=message.nanos // _NANOS_PER_MICRO)


def to_money(money: Money) -> money_pb2.Money:
    """The message of an amount. Raises ValueError where it does not fit into 64 bits."""
    return money_pb2.Money(currency_code=money.currency_code, minor_units=money.minor_units)


def from_money(message: money_pb2.Money) -> Money:
    """The amount."""
    return Money(message.currency_code, message.minor_units)
