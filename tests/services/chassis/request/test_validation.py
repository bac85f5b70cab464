"""Requests are checked field by field, and all bad fields are reported together."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from tradepost.event.v1.event_error_pb2 import EventErrorReason
from tradepost.type.v1.money_pb2 import Money

from services.chassis.request.errors import InvalidRequestError
from services.chassis.request.validation import MAX_VIOLATIONS, Check
from tests.support.bad_input.bad_values import BLANK

UUID = "0195c3e2-7b1a-4c3d-9e4f-0123456789ab"
ORDER_ID = "ord_0195c3e27b1a7c3d9e4f0123456789ab"
MINUTE = timedelta(minutes=1)


def bad_fields(look: Callable[[Check], object]) -> list[str]:
    """Return the fields that a check finds bad."""
    check = Check()
    look(check)
    try:
        check.done()
    except InvalidRequestError as error:
        return [violation.field for violation in error.violations]
    return []


def test_every_bad_field_is_named_at_once() -> None:
    """One error names every bad field."""

    def look(check: Check) -> None:
        check.uuid("request_id", "")
        check.text("customer_id", "alice", max_len=64)
        check.integer("lines[0].quantity", 0, minimum=1, maximum=10)
        check.that(bool([]), "lines", "must not be empty")

    assert bad_fields(look) == ["request_id", "lines[0].quantity", "lines"]


def test_the_error_says_what_a_good_value_would_be() -> None:
    """The message and each violation say how to fix the field."""
    check = Check()
    check.integer("quantity", 0, minimum=1, maximum=10)

    with pytest.raises(InvalidRequestError, match="quantity: must be at least 1 and at most 10"):
        check.done()


def test_a_good_request_raises_nothing_and_gives_the_values() -> None:
    """Each check returns the checked value."""
    check = Check()

    assert check.uuid("request_id", UUID.upper()) == UUID
    assert check.identifier("order_id", ORDER_ID, "ord") == ORDER_ID
    assert check.text("note", "", max_len=10, required=False) == ""
    assert check.integer("quantity", 3, minimum=1, maximum=3) == 3
    assert check.currency("currency", "EUR") == "EUR"
    assert check.that(bool([1]), "lines", "must not be empty")
    check.done()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        UUID.replace("-", ""),
        UUID + "0",
        "0" * 36,
        str(UUID)[:-1] + "g",
        "{" + UUID + "}",
        "00000000-0000-0000-0000-000000000000",
        UUID + "\n",
    ],
)
def test_a_request_id_is_a_uuid_and_not_the_nil_one(value: str) -> None:
    """A request id is a UUID in its usual text form, but not the nil UUID (AIP-155)."""
    assert bad_fields(lambda check: check.uuid("request_id", value)) == ["request_id"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ord_",
        "pay_" + ORDER_ID[4:],
        ORDER_ID.upper(),
        ORDER_ID[4:],
        ORDER_ID + "0",
        ORDER_ID + "\n",
        "ord__" + ORDER_ID[5:],
    ],
)
def test_an_identifier_has_its_prefix_and_32_hex_digits(value: str) -> None:
    """An id of another kind or in another spelling is refused."""
    assert bad_fields(lambda check: check.identifier("order_id", value, "ord")) == ["order_id"]


@pytest.mark.parametrize("value", ["", " ", "a" * 11, "a\x00b", "a\nb", "\x7f"])
def test_a_text_is_short_visible_and_not_blank(value: str) -> None:
    """A text has a maximum length, no control characters, and is not blank."""
    assert bad_fields(lambda check: check.text("reason", value, max_len=10)) == ["reason"]


@pytest.mark.parametrize("value", [bad.value for bad in BLANK])
def test_a_text_of_which_nothing_is_visible_is_blank(value: str) -> None:
    """Zero-width characters and letters that are drawn as nothing say as little as no text."""
    assert bad_fields(lambda check: check.text("reason", value, max_len=10)) == ["reason"]
    assert bad_fields(lambda check: check.reason(value)) == ["reason"]


@pytest.mark.parametrize(
    "value", ["a\u0301", "नी", "!", "🥛", "\U0001f469\u200d\U0001f33e", "x" * 500]
)
def test_a_text_may_be_of_any_script(value: str) -> None:
    """Accents and joiners are part of what is visible."""
    assert bad_fields(lambda check: check.reason(value, required=True)) == []


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_an_integer_outside_of_its_bounds_is_bad(value: int) -> None:
    """Both bounds are inclusive."""
    found = bad_fields(lambda check: check.integer("n", value, minimum=1, maximum=500))

    assert found == ([] if 1 <= value <= 500 else ["n"])


@pytest.mark.parametrize(
    ("value", "required", "is_bad"),
    [(0, False, False), (0, True, True), (1, True, False), (99, False, True), (-1, False, True)],
)
def test_an_enum_number_that_the_contract_does_not_know_is_bad(
    value: int, *, required: bool, is_bad: bool
) -> None:
    """Proto3 enums are open, so an unknown number arrives and must be refused."""
    found = bad_fields(lambda check: check.enum("e", value, EventErrorReason, required=required))

    assert found == (["e"] if is_bad else [])


@pytest.mark.parametrize(
    ("values", "named"),
    [([], []), ([1], []), ([1, 0, 99], ["e[1]", "e[2]"]), ([1] * 100, []), ([1] * 101, ["e"])],
)
def test_a_filter_names_values_of_the_enum(values: list[int], named: list[str]) -> None:
    """An empty filter means all; a filter with too many entries is refused."""
    assert bad_fields(lambda check: check.enum_filter("e", values, EventErrorReason)) == named


def test_a_rule_about_two_fields_waits_until_both_are_good() -> None:
    """A rule about two fields is only checked if both are good."""
    check = Check()
    check.uuid("first", "")

    assert check.is_good("second")
    assert not check.is_good("second", "first")


@pytest.mark.parametrize("code", ["", "eur", "EURO", "ZZZ", "E R"])
def test_a_currency_is_an_iso_4217_code(code: str) -> None:
    """An unknown currency code is refused."""
    assert bad_fields(lambda check: check.currency("currency", code)) == ["currency"]


@pytest.mark.parametrize(
    ("money", "present", "bad"),
    [
        (Money(currency_code="EUR", minor_units=0), True, []),
        (Money(currency_code="EUR", minor_units=-1), True, ["total.minor_units"]),
        (
            Money(currency_code="?", minor_units=-1),
            True,
            ["total.currency_code", "total.minor_units"],
        ),
        (Money(), False, ["total"]),
    ],
)
def test_an_amount_has_a_currency_and_is_not_negative(
    money: Money, *, present: bool, bad: list[str]
) -> None:
    """Currency and number of an amount are checked; an absent amount is one bad field."""
    assert bad_fields(lambda check: check.money("total", money, present=present)) == bad


def test_a_timestamp_becomes_an_instant_in_utc() -> None:
    """A timestamp is cut to whole microseconds."""
    value = Timestamp(seconds=1_764_000_000, nanos=123_456_789)

    assert Check().timestamp("deadline", value, present=True) == datetime.fromtimestamp(
        1_764_000_000, UTC
    ).replace(microsecond=123_456)


@pytest.mark.parametrize(
    "value",
    [
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=-62_135_596_801),
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
    ],
)
def test_a_timestamp_outside_of_the_calendar_is_bad(value: Timestamp) -> None:
    """Years are 1 to 9999, nanos 0 to 999,999,999 (google/protobuf/timestamp.proto)."""
    assert bad_fields(lambda check: check.timestamp("t", value, present=True)) == ["t"]


def test_an_absent_timestamp_is_bad_only_where_it_is_required() -> None:
    """An absent timestamp is None, not the epoch."""
    assert Check().timestamp("t", Timestamp(), present=False) is None
    assert bad_fields(
        lambda check: check.timestamp("t", Timestamp(), present=False, required=True)
    ) == ["t"]


@pytest.mark.parametrize(
    ("value", "is_bad"),
    [
        (Duration(seconds=60), False),
        (Duration(seconds=1), False),
        (Duration(seconds=60, nanos=1_000), True),
        (Duration(nanos=999_999_999), True),
        (Duration(seconds=-5), True),
        (Duration(seconds=2**62), True),
        (Duration(seconds=5, nanos=2_000_000_000), True),
        (Duration(seconds=5, nanos=-1), True),
    ],
)
def test_a_duration_is_within_its_bounds(value: Duration, *, is_bad: bool) -> None:
    """Both bounds are inclusive, and a huge duration does not overflow."""
    found = bad_fields(
        lambda check: check.duration(
            "ttl", value, present=True, minimum=timedelta(seconds=1), maximum=MINUTE
        )
    )

    assert found == (["ttl"] if is_bad else [])


def test_an_absent_duration_is_bad_only_where_it_is_required() -> None:
    """An absent duration is None, not zero."""

    def look(check: Check, *, required: bool) -> timedelta | None:
        return check.duration(
            "ttl", Duration(), present=False, minimum=MINUTE, maximum=MINUTE, required=required
        )

    assert look(Check(), required=False) is None
    assert bad_fields(lambda check: look(check, required=True)) == ["ttl"]


def test_the_number_of_violations_is_bounded() -> None:
    """The number of reported violations is bounded."""
    assert len(bad_fields(lambda check: [check.violation("x", "y") for _ in range(5_000)])) == (
        MAX_VIOLATIONS
    )
