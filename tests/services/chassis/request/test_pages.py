"""A page token is opaque, belongs to one list, and is understood by every instance."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.request.errors import (
    InvalidPageSizeError,
    InvalidPageTokenError,
    InvalidRequestError,
)
from services.chassis.request.pages import (
    check_page_size,
    check_page_token,
    check_sequence,
    check_time_and_id,
    coerce_page_size,
    decode_token,
    encode_token,
)
from services.chassis.request.validation import Check

# Sort keys of rows: SKUs, ids, and 64-bit numbers.
TEXTS = st.text(st.characters(exclude_categories=("C", "Z")))
KEYS = st.lists(TEXTS | st.integers(min_value=-(2**63), max_value=2**63 - 1), max_size=4)


@given(KEYS, st.binary())
def test_a_token_carries_its_key(key: list[str | int], arguments: bytes) -> None:
    """The key in a token survives encoding and decoding, in any process."""
    token = encode_token(key, arguments)

    assert decode_token(token, arguments) == key
    assert token == base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(token + "==")
    ).decode().rstrip("=")


def test_a_token_is_bound_to_the_arguments_of_its_list() -> None:
    """A token of one customer's orders is refused for another customer's."""
    token = encode_token([17, "ord_1"], b"customer_id=1")

    with pytest.raises(InvalidPageTokenError):
        decode_token(token, b"customer_id=2")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not a token",
        "ümlaut",
        "AAAAAAAAAAA",
        encode_token([1], b"")[:-1],
        encode_token([1], b"") + "A",
        "A" * 10_000,
    ],
)
def test_a_foreign_token_is_refused(token: str) -> None:
    """A token that we did not make is refused."""
    with pytest.raises(InvalidPageTokenError):
        decode_token(token, b"")


@given(st.text(max_size=200))
def test_no_text_crashes_the_decoder(token: str) -> None:
    """Any text as a token is either refused or decoded."""
    with pytest.raises(InvalidPageTokenError):
        decode_token(token, b"arguments")


@pytest.mark.parametrize(
    "forged",
    [
        *(b'{"a":1}', b"[1.5]", b"[true]", b"[null]", b"[[1]]", b"7"),
        *(b"[9223372036854775808]", b'["\\ud800"]', b'["\\u0000"]'),
    ],
)
def test_a_key_holds_what_a_database_can_compare(forged: bytes) -> None:
    """A forged key of another kind is refused before it reaches a query."""
    sealed = base64.urlsafe_b64decode(encode_token([], b"") + "==")[:8] + forged

    with pytest.raises(InvalidPageTokenError):
        decode_token(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), b"")


@pytest.mark.parametrize(("asked", "given_"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000)])
def test_a_page_size_is_coerced(asked: int, given_: int) -> None:
    """Zero means fifty, and more than a thousand means a thousand (AIP-158)."""
    assert coerce_page_size(asked) == given_


def test_bad_paging_fields_are_reported_with_other_bad_fields() -> None:
    """Bad paging fields are reported together with other bad fields."""
    check = Check()
    check.violation("customer_id", "is required")
    check_page_size(check, -1)
    assert check_page_token(check, "?", b"") is None

    with pytest.raises(InvalidRequestError) as raised:
        check.done()
    named = [violation.field for violation in raised.value.violations]
    assert named == ["customer_id", "page_size", "page_token"]
    assert check_page_size(Check(), 2_000) == 1_000
    assert check_page_token(Check(), encode_token([7], b""), b"") == [7]
    assert check_page_token(Check(), "", b"") is None


def test_a_negative_page_size_is_refused() -> None:
    """A negative page size is refused."""
    with pytest.raises(InvalidPageSizeError):
        coerce_page_size(-1)


@pytest.mark.parametrize("key", [[-1, "ord_1"], ["ord_1", 1], [1, "\u00e9"], [1], [1, "a", "b"]])
def test_a_key_of_another_list_is_refused(key: list[str | int]) -> None:
    """A list sorted by time and id takes a time and an id, nothing else."""
    check = Check()
    assert check_time_and_id(check, encode_token(key, b""), b"") is None
    assert not check.is_good("page_token")


@pytest.mark.parametrize("key", [[-1], ["1"], [], [1, 2]])
def test_a_sequence_is_one_number(key: list[str | int]) -> None:
    """A list sorted by sequence takes one number that is not negative."""
    check = Check()
    assert check_sequence(check, encode_token(key, b""), b"") == 0
    assert not check.is_good("page_token")


def test_keys_continue_their_lists() -> None:
    """Each list gets the key back that its token was made of; the first page has none."""
    check = Check()
    token = encode_token([7, "ord_1"], b"")
    assert check_time_and_id(check, token, b"") == (7, "ord_1")
    assert check_sequence(check, encode_token([7], b""), b"") == 7
    assert (check_time_and_id(check, "", b""), check_sequence(check, "", b"")) == (None, 0)
    check.done()
