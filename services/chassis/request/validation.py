"""Checks the fields of a request and reports all bad ones together (google.rpc.BadRequest).

    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    quantity = check.integer("lines[0].quantity", line.quantity, minimum=1, maximum=1_000)
    check.done()

Each method returns the checked value; if `done()` does not raise, all of them are good.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.type.v1.money_pb2 import Money

from services.chassis.domain.currencies import ISO_4217
from services.chassis.domain.money import MAX_AMOUNT_MINOR
from services.chassis.request.errors import InvalidRequestError, Violation

MAX_INT64 = 2**63 - 1
# No enum has so many values: a filter with more of them has repetitions.
MAX_ENUM_FILTER = 100
# Every line of a request may be bad; more violations than this help no caller.
MAX_VIOLATIONS = 1_000
MAX_REASON_CHARACTERS = 500

# Control characters, and the line and paragraph separators.
_NEVER_IN_A_LINE = frozenset({"Cc", "Zl", "Zp"})
# Letters, numbers, punctuation and symbols. A mark is visible on one of them only.
_VISIBLE = frozenset("LNPS")
# Letters and symbols that are drawn as nothing: Hangul fillers and the empty Braille pattern.
_DRAWN_AS_NOTHING = frozenset("\u115f\u1160\u3164\uffa0\u2800")

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NIL_UUID = "00000000-0000-0000-0000-000000000000"
_HEX_32 = re.compile(r"[0-9a-f]{32}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS_PER_S = 1_000_000_000
# google/protobuf/timestamp.proto: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
_MIN_TIMESTAMP_S = -62_135_596_800
_MAX_TIMESTAMP_S = 253_402_300_799


class EnumWrapper(Protocol):
    """The class that protobuf generates for an enum."""

    def values(self) -> Sequence[int]: ...


class Check:
    """Collects the violations of one request; `done()` raises them all."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def violation(self, field: str, description: str) -> None:
        """Add a violation."""
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(Violation(field, description))

    def that(self, condition: bool, field: str, description: str) -> bool:  # noqa: FBT001
        """Add a violation unless the condition holds. Returns the condition."""
        if not condition:
            self.violation(field, description)
        return condition

    def is_good(self, *fields: str) -> bool:
        """Whether none of these fields has a violation so far."""
        return not any(each.field in fields for each in self._violations)

    def done(self) -> None:
        """Raise InvalidRequestError with every bad field, if there is one."""
        if self._violations:
            raise InvalidRequestError(*self._violations)

    def uuid(self, field: str, value: str) -> str:
        """A UUID in text form, but not the nil UUID (AIP-155). Returns it in lower case."""
        lower = value.lower()
        if not _UUID.fullmatch(lower) or lower == _NIL_UUID:
            self.violation(field, "must be a UUID" if value else "is required: a UUID")
        return lower

    def identifier(self, field: str, value: str, prefix: str) -> str:
        """`ord_` and 32 lower-case hex digits, where `prefix` is `ord`."""
        name = prefix.rstrip("_")
        head, _, digits = value.partition("_")
        if head != name or not _HEX_32.fullmatch(digits):
            self.violation(field, f"must be {name}_ and 32 lower-case hex digits")
        return value

    def text(self, field: str, value: str, *, max_len: int, required: bool = True) -> str:
        """One line of at most `max_len` characters, of which at least one is visible."""
        if not value:
            self.that(not required, field, "is required")
        elif len(value) > max_len:
            self.violation(field, f"must have at most {max_len} characters")
        elif any(unicodedata.category(character) in _NEVER_IN_A_LINE for character in value):
            self.violation(field, "must not contain control characters or line breaks")
        elif is_blank(value):
            self.violation(field, "must have a visible character")
        return value

    def reason(self, value: str, *, required: bool = False) -> str:
        """Why a change is made. The server stack refuses a person who leaves it out."""
        return self.text("reason", value, max_len=MAX_REASON_CHARACTERS, required=required)

    def visible_text(self, field: str, value: str, *, max_len: int = 64) -> str:
        """1 to `max_len` visible ASCII characters: no spaces, no control characters."""
        if not is_visible_text(value, max_len=max_len):
            self.violation(field, f"must be 1 to {max_len} visible ASCII characters")
        return value

    def integer(self, field: str, value: int, *, minimum: int, maximum: int) -> int:
        """A number within both bounds, inclusive."""
        if not minimum <= value <= maximum:
            self.violation(field, f"must be at least {minimum} and at most {maximum}")
        return value

    def enum(
        self, field: str, value: int, enum_wrapper: EnumWrapper, *, required: bool = False
    ) -> int:
        """A value that the contract knows; if `required`, not the unspecified zero."""
        if value not in enum_wrapper.values():
            self.violation(field, f"{value} is no value of the enum")
        elif value == 0 and required:
            self.violation(field, "is required")
        return value

    def enum_filter(self, field: str, values: Sequence[int], enum_wrapper: EnumWrapper) -> None:
        """Values that the contract knows, none of them unspecified. The list may be empty."""
        most = f"must have at most {MAX_ENUM_FILTER} entries"
        if self.that(len(values) <= MAX_ENUM_FILTER, field, most):
            for index, value in enumerate(values):
                self.enum(f"{field}[{index}]", value, enum_wrapper, required=True)

    def currency(self, field: str, code: str) -> str:
        """An active ISO 4217 code, in upper case."""
        self.that(code in ISO_4217, field, "must be an ISO 4217 currency code")
        return code

    def money(
        self,
        field: str,
        money: Money,
        *,
        present: bool,
        minimum: int = 0,
        maximum: int = MAX_AMOUNT_MINOR,
    ) -> Money:
        """An amount with its currency; `present` is `request.HasField(...)`."""
        if not present:
            self.violation(field, "is required")
            return money
        self.currency(f"{field}.currency_code", money.currency_code)
        self.integer(f"{field}.minor_units", money.minor_units, minimum=minimum, maximum=maximum)
        return money

    def timestamp(
        self, field: str, value: Timestamp, *, present: bool, required: bool = False
    ) -> datetime | None:
        """An instant in UTC, in whole microseconds. Returns None if it is absent or bad."""
        if not present:
            self.that(not required, field, "is required")
            return None
        in_range = _MIN_TIMESTAMP_S <= value.seconds <= _MAX_TIMESTAMP_S
        if not in_range or not 0 <= value.nanos < _NANOS_PER_S:
            self.violation(field, "must be a timestamp between the years 1 and 9999")
            return None
        return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000)

    def duration(
        self,
        field: str,
        value: Duration,
        *,
        present: bool,
        minimum: timedelta,
        maximum: timedelta,
        required: bool = False,
    ) -> timedelta | None:
        """A duration within both bounds, inclusive. Returns None if it is absent or bad."""
        if not present:
            self.that(not required, field, "is required")
            return None
        # Counted in nanoseconds, because a message's duration may be too long for a timedelta.
        span_ns = value.seconds * _NANOS_PER_S + value.nanos
        is_one = abs(value.nanos) < _NANOS_PER_S and value.seconds * value.nanos >= 0
        if not is_one or not _nanos(minimum) <= span_ns <= _nanos(maximum):
            bounds = f"at least {_seconds(minimum)} and at most {_seconds(maximum)}"
            self.violation(field, f"must be {bounds}")
            return None
        return timedelta(microseconds=span_ns // 1_000)


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: no text, or only spaces, zero-width and control characters."""
    return not any(
        unicodedata.category(character)[0] in _VISIBLE and character not in _DRAWN_AS_NOTHING
        for character in text
    )


def is_visible_text(value: str, *, max_len: int = 64) -> bool:
    """Whether a value has 1 to `max_len` characters, all of them visible ASCII."""
    is_printable = value.isascii() and value.isprintable()
    return 0 < len(value) <= max_len and is_printable and " " not in value


def _nanos(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1_000


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
