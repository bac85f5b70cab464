"""Texts of what messages hold: words of enums, amounts, instants, durations."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.type.v1.money_pb2 import Money as MoneyMessage

from services.chassis.domain.amounts import format_amount
from services.chassis.domain.money import Money


class EnumNames(Protocol):
    """The class that protobuf generates for an enum."""

    def Name(self, number: Any) -> str: ...  # noqa: N802 - protobuf's name
    def values(self) -> Sequence[int]: ...


def enum_word(names: EnumNames, number: int, prefix: str) -> str:
    """The name of a value without its prefix: "CONFIRMED". A number this version doesn't know."""
    if number not in names.values():
        return str(number)
    return names.Name(number).removeprefix(prefix)


def money_text(money: MoneyMessage) -> str:
    """An amount as a person reads it: "USD 12.50"; "" for one that is unset."""
    return amount_text(money.minor_units, money.currency_code) if money.currency_code else ""


def amount_text(minor_units: int, currency_code: str) -> str:
    """Minor units of a currency as a person reads them: "-USD 0.05"."""
    sign = "-" if minor_units < 0 else ""
    return sign + format_amount(Money(currency_code, abs(minor_units)))


def instant(timestamp: Timestamp) -> datetime:
    """An instant in UTC, to the microsecond."""
    return timestamp.ToDatetime(tzinfo=UTC)


def instant_text(moment: datetime) -> str:
    """An instant as a person reads it, in UTC: "2026-11-29 23:59:59.123"."""
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def duration_text(duration: timedelta) -> str:
    """A duration in the unit that suits it: "12 ms", "3.4 s", "2 min 5 s", "3 h 20 min"."""
    seconds = duration.total_seconds()
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def span_text(duration: Duration) -> str:
    """A duration of a message."""
    return duration_text(duration.ToTimedelta())
