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
    coerce_page_size,
    decode_token,
    encode_token,
)
from services.chassis.request.validation import Check

# What rows are sorted by: SKUs, ids, numbers of 64 bits.
TEXTS = st.text(st.characters(exclude_categories=("C", "Z")))
KEYS = st.lists(TEXTS | st.integers(min_value=-(2**63), max_value=2**63 - 1), max_size=4)


@given(KEYS, st.binary())
def test_a_token_carries_its_key(key: list[str | int], arguments: bytes) -> None:
    """Whatever key ends a page begins the next one, in any process."""
    token = encode_token(key, arguments)

    assert decode_token(token, arguments) == key
    assert token == base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(token + "==")
    ).decode().rstrip("=")


def test_a_token_is_bound_to_the_arguments_of_its_list() -> None:
    """A token of one customer's orders doesn't page through another's."""
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
def test_what_is_no_token_is_refused(token: str) -> None:
    """Anything we did not make is a bad request, never a crash or a wrong page."""
    with pytest.raises(InvalidPageTokenError):
        decode_token(token, b"")


@given(st.text(max_size=200))
def test_no_text_crashes_the_decoder(token: str) -> None:
    """Callers can send any text as a token."""
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
    """None means fifty, too many means a thousand (AIP-158)."""
    assert coerce_page_size(asked) == given_


def test_a_bad_page_is_named_beside_what_else_is_bad() -> None:
    """One answer names them all; a good page gives its size and key."""
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
    """Nobody can mean a negative page."""
    with pytest.raises(InvalidPageSizeError):
        coerce_page_size(-1)
