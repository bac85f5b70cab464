"""Converts instants, durations and money to Protobuf messages and back.

Instants and durations are whole microseconds on both sides, so nothing is rounded.
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
    """Convert an instant in UTC."""
    seconds, micros = divmod(to_micros(instant), _MICROS_PER_S)
    return Timestamp(seconds=seconds, nanos=micros * _NANOS_PER_MICRO)


def from_timestamp(message: Timestamp) -> datetime:
    """Convert to an instant in UTC; an empty message is the Unix epoch."""
    return from_micros(message.seconds * _MICROS_PER_S + message.nanos // _NANOS_PER_MICRO)


def to_duration(span: timedelta) -> Duration:
    """Convert a duration that is not negative."""
    seconds, micros = divmod(span // _MICROSECOND, _MICROS_PER_S)
    return Duration(seconds=seconds, nanos=micros * _NANOS_PER_MICRO)


def from_duration(message: Duration) -> timedelta:
    """Convert to a timedelta."""
    return timedelta(seconds=message.seconds, microseconds=message.nanos // _NANOS_PER_MICRO)


def to_money(money: Money) -> money_pb2.Money:
    """Convert an amount. Raises ValueError if it does not fit into 64 bits."""
    return money_pb2.Money(currency_code=money.currency_code, minor_units=money.minor_units)


def from_money(message: money_pb2.Money) -> Money:
    """Convert to an amount of the domain."""
    return Money(message.currency_code, message.minor_units)
