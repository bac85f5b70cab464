"""Bad values of fields, by the kind of field, with the paths that a refusal must name."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_INT32, MIN_INT32 = 2**31 - 1, -(2**31)
MAX_INT64, MIN_INT64 = 2**63 - 1, -(2**63)
NUL, EMOJI, ARABIC_DIGITS = "a\0b", "milk 🥛", "٣" * 32
OVERSIZED = "x" * 100_000
# More entries than any list of a request may have.
TOO_MANY = 501


@dataclass(frozen=True, slots=True)
class BadValue:
    """A bad value, and the paths below its field that a refusal must name; "" is the field."""

    value: Any
    paths: tuple[str, ...] = ("",)


BadValues = tuple[BadValue, ...]


def each(*values: Any) -> BadValues:
    """Make bad values for which the refusal names the field itself."""
    return tuple(BadValue(value) for value in values)


def within(field: str, bad_values: BadValues, **others: Any) -> BadValues:
    """Make messages whose `field` is bad and whose `others` are valid."""
    return tuple(
        BadValue({**others, field: bad.value}, tuple(f".{field}{path}" for path in bad.paths))
        for bad in bad_values
    )


def entries(bad_values: BadValues, valid: Iterable[Any]) -> BadValues:
    """Make lists of two entries: the first is valid, the second is bad."""
    first = next(iter(valid))
    return tuple(
        BadValue([first, bad.value], tuple(f"[1]{path}" for path in bad.paths))
        for bad in bad_values
    )


def token(*key: Any) -> str:
    """Make a page token with a key in the format of a server, for arguments that no list has."""
    body = bytes(8) + json.dumps(key).encode()
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


ANY: BadValues = ()
NIL_UUID = "00000000-0000-0000-0000-000000000000"
UUID = each(
    "",
    "yesterday",
    NIL_UUID,
    "{6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11}",
    "6f1b3c5252f14a0e9d0f6b8f0f6f2a11",
    "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11\0",
    "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a1٣",
    OVERSIZED,
)
_NOT_VISIBLE = each("two words", "x" * 65, NUL, "milk\n", "café", EMOJI, OVERSIZED)
VISIBLE = (*each(""), *_NOT_VISIBLE)
OPTIONAL_VISIBLE = _NOT_VISIBLE
# Nothing of these can be seen: spaces, zero-width space and joiner, a byte order mark, an accent
# without a letter, a Hangul filler, an empty Braille pattern.
BLANK = each("   ", "\u00a0\u2003", "\u200b\u200d", "\ufeff", "\u0301", "\u3164", "\u2800")
_NOT_ONE_LINE = each(NUL, "\x7f", "two\nlines", "two\u2028lines")
REASON_MAX = 500
OPTIONAL_TEXT = (*each("x" * 65, OVERSIZED), *_NOT_ONE_LINE, *BLANK)
REASON = (*each("x" * (REASON_MAX + 1), OVERSIZED), *_NOT_ONE_LINE, *BLANK)
REQUIRED_REASON = (*each(""), *REASON)
OPTIONAL_ETAG = each("x" * 65, NUL, OVERSIZED)


def optional_identifier(prefix: str) -> BadValues:
    """Bad values of an identifier that may be empty: `prefix`, `_` and 32 lower-case hex digits."""
    digits = "0193a1b2c3d4e5f60718293a4b5c6d7e"
    return each(
        prefix,
        f"{prefix}_",
        f"{prefix}_{digits[:-1]}",
        f"{prefix}_{digits}0",
        f"{prefix}_{digits.upper()}",
        f"{prefix}_{digits}\0",
        f"{prefix}_{ARABIC_DIGITS}",
        f"xyz_{digits}",
        digits,
        "1 OR 1=1",
        OVERSIZED,
    )


def identifier(prefix: str) -> BadValues:
    """Bad values of a required identifier."""
    return (*each(""), *optional_identifier(prefix))


QUANTITY = each(0, -1, 1_000_001, MAX_INT64, MIN_INT64)
NATURAL = each(-1, MIN_INT64)
PAGE_SIZE = each(-1, MIN_INT32)
PAGE_TOKEN = each(
    "?", "ümlaut", EMOJI, NUL, "AAAA", OVERSIZED, token(), token(1, "x"), token("milk"), token(1.5)
)
ENUM = each(99, -1, MAX_INT32, MIN_INT32)
STATES = tuple(
    [BadValue([value], ("[0]",)) for value in (0, 99, -1, MAX_INT32)]
    + [BadValue([1, 98, 2, 99], ("[1]", "[3]")), BadValue([1] * TOO_MANY)]
)
TIMESTAMP = each(
    {"seconds": MAX_INT64},
    {"seconds": MIN_INT64},
    {"seconds": 253_402_300_800},
    {"nanos": -1},
    {"nanos": 1_000_000_000},
)
_NO_DURATION = each(
    {"seconds": MAX_INT64}, {"seconds": MIN_INT64}, {"seconds": 1, "nanos": -1}, {"seconds": -1}
)
AGE = _NO_DURATION
SPAN = (*_NO_DURATION, *each({}, {"seconds": 1, "nanos": MAX_INT32}, {"nanos": 999_999_999}))
_CURRENCY = each("", "usd", "XTS", "US", "DOLLARS", "U\0D", "€", OVERSIZED)


def money(*, minimum: int) -> BadValues:
    """Bad values of an amount of at least `minimum` minor units."""
    outside = each(minimum - 1, -1, MIN_INT64, 10**15 + 1, MAX_INT64)
    nothing = (".currency_code", ".minor_units") if minimum > 0 else (".currency_code",)
    return (
        BadValue({}, nothing),
        *within("currency_code", _CURRENCY, minor_units=minimum),
        *within("minor_units", outside, currency_code="USD"),
        BadValue({"currency_code": "usd", "minor_units": -1}, (".currency_code", ".minor_units")),
    )


REQUIRED_MONEY = (BadValue(None), *money(minimum=1))
_LINE: Mapping[str, Any] = {"sku": "milk", "quantity": 1}
LINES = (
    *each([], [_LINE] * TOO_MANY),
    BadValue([{}], ("[0].sku", "[0].quantity")),
    BadValue([{"sku": "a b"}, _LINE, {"sku": "tea"}], ("[0].sku", "[0].quantity", "[2].quantity")),
    *entries(within("sku", VISIBLE, quantity=1), [_LINE]),
    *entries(within("quantity", QUANTITY, sku="tea"), [_LINE]),
)
SKUS = (*each([], ["milk"] * TOO_MANY), *entries(VISIBLE, ["milk"]))
_ITEM: Mapping[str, Any] = {
    "sku": "jam",
    "name": "Jam",
    "unit_price": {"currency_code": "USD", "minor_units": 100},
}
_OTHER: Mapping[str, Any] = {**_ITEM, "sku": "ham"}
_BAD_ITEM = (
    *within("sku", VISIBLE, **_ITEM),
    *within("name", (*each("", "x" * 201), *_NOT_ONE_LINE, *BLANK), **_ITEM),
    *within("unit_price", (BadValue(None), *money(minimum=0)), **_ITEM),
    *within("etag", OPTIONAL_ETAG, **_ITEM),
    *within("initial_on_hand_count", NATURAL, **_ITEM),
)
ITEMS = (
    *each([], [{**_ITEM, "sku": f"jam{number}"} for number in range(TOO_MANY)]),
    BadValue([{}], ("[0].sku", "[0].name", "[0].unit_price")),
    BadValue([_ITEM, _OTHER, _ITEM], ("[2].sku",)),
    *entries(_BAD_ITEM, [_OTHER]),
)
