"""Pages of lists, and opaque page tokens (AIP-158).

A token holds the sort key of the page's last row and a hash of the list's arguments. It refers to
no state of a server, so every instance understands it. The next page starts after that key (keyset
paging), so a row that matches all the time appears exactly once, even while others are inserted.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from google.protobuf.message import Message

from services.chassis.request.answer_size import fitting_messages
from services.chassis.request.errors import InvalidPageSizeError, InvalidPageTokenError
from services.chassis.request.validation import MAX_INT64, Check

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000

_ARGUMENTS_HASH_BYTES = 8

# Fields that may differ from one page of a list to the next.
_NOT_ARGUMENTS = frozenset({"page_size", "page_token", "min_position"})

T = TypeVar("T")
M = TypeVar("M", bound=Message)
Key: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The messages of one page, and the token of the next; it is empty on the last page."""

    rows: Sequence[T]
    next_page_token: str


def encode_token(key: Sequence[str | int], arguments: bytes) -> str:
    """Make a token for the page after the row with sort key `key`.

    `arguments` is a deterministic serialization of what selects and orders the rows: filters and
    order, without page size and token.
    """
    body = json.dumps(list(key), separators=(",", ":"), ensure_ascii=False).encode()
    sealed = _arguments_hash(arguments) + body
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def decode_token(token: str, arguments: bytes) -> list[str | int]:
    """Return the key of a token. Raises InvalidPageTokenError for a token of another list."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
        key = json.loads(sealed[_ARGUMENTS_HASH_BYTES:])
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidPageTokenError from error
    if sealed[:_ARGUMENTS_HASH_BYTES] != _arguments_hash(arguments):
        raise InvalidPageTokenError
    if not isinstance(key, list) or not all(map(_is_part, key)):
        raise InvalidPageTokenError
    return key


def coerce_page_size(page_size: int) -> int:
    """Return 50 for 0, and at most 1000. Raises InvalidPageSizeError for a negative size."""
    if page_size < 0:
        raise InvalidPageSizeError(page_size)
    if page_size == 0:
        return DEFAULT_PAGE_SIZE
    return min(page_size, MAX_PAGE_SIZE)


def check_page_size(check: Check, page_size: int) -> int:
    """Like `coerce_page_size`, but add a negative size to the violations of `check`."""
    is_size = check.that(page_size >= 0, "page_size", "must not be negative")
    return coerce_page_size(page_size) if is_size else DEFAULT_PAGE_SIZE


def check_page_token(check: Check, token: str, arguments: bytes) -> list[str | int] | None:
    """Return the key of a token; None for the first page, and for a bad token (a violation)."""
    if not token:
        return None
    try:
        return decode_token(token, arguments)
    except InvalidPageTokenError:
        refuse_page_token(check)
        return None


def arguments_of(request: Message) -> bytes:
    """Serialize what selects and orders the rows of a list: the request without paging fields."""
    arguments = type(request)()
    arguments.CopyFrom(request)
    for field in _NOT_ARGUMENTS.intersection(arguments.DESCRIPTOR.fields_by_name):
        arguments.ClearField(field)
    return arguments.DESCRIPTOR.full_name.encode() + arguments.SerializeToString(deterministic=True)


def page_of(
    request: Message,
    rows: Sequence[T],
    size: int,
    *,
    key_of: Callable[[T], Key],
    to_message: Callable[[T], M],
) -> Page[M]:
    """Make a page from `size + 1` rows: the extra row shows whether another page follows.

    `key_of` returns the sort key of a row, for the token.
    """
    has_more = len(rows) > size
    return page_of_all(
        request, rows[:size], has_more=has_more, key_of=key_of, to_message=to_message
    )


def page_of_all(
    request: Message,
    rows: Sequence[T],
    *,
    has_more: bool,
    key_of: Callable[[T], Key],
    to_message: Callable[[T], M],
) -> Page[M]:
    """Make a page from `rows`, of a list whose store says whether more rows follow.

    The page ends early where more rows would make the answer too large.
    """
    messages = list(fitting_messages(map(to_message, rows)))
    if len(messages) == len(rows) and not has_more:
        return Page(messages, "")
    newest = rows[len(messages) - 1]
    return Page(messages, encode_token(key_of(newest), arguments_of(request)))


def check_time_and_id(check: Check, token: str, arguments: bytes) -> tuple[int, str] | None:
    """The key of a list sorted by time (in microseconds) and id; None for the first page."""
    match check_page_token(check, token, arguments):
        case None:
            return None
        case [int(micros), str(identifier)] if micros >= 0 and identifier.isascii():
            return (micros, identifier)
        case _:
            refuse_page_token(check)
            return None


def check_sequence(check: Check, token: str, arguments: bytes) -> int:
    """The key of a list sorted by a number that counts from 1; 0 for the first page."""
    match check_page_token(check, token, arguments):
        case None:
            return 0
        case [int(number)] if number >= 0:
            return number
        case _:
            refuse_page_token(check)
            return 0


def refuse_page_token(check: Check) -> None:
    """Add a violation: the token's key does not belong to this list."""
    check.violation("page_token", str(InvalidPageTokenError()))


def _is_part(part: object) -> bool:
    """Whether a database can compare the value: a caller can forge a token, the hash has no key."""
    if type(part) is int:
        return -MAX_INT64 - 1 <= part <= MAX_INT64
    return isinstance(part, str) and part.isprintable()


def _arguments_hash(arguments: bytes) -> bytes:
    return hashlib.sha256(arguments).digest()[:_ARGUMENTS_HASH_BYTES]
