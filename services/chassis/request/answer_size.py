"""Keeps every answer below 2 MiB, because gRPC's clients refuse messages of more than 4 MiB.

The page of a list ends early, a batch names what it left out, and a stream sends another message.
One row never exceeds the limit by itself, because requests bound what a row can hold.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

T = TypeVar("T")
M = TypeVar("M", bound=Message)

ANSWER_BYTES_MAX = 2 * 1024 * 1024
# What an answer holds besides its rows: positions, a page token, the ids that a batch leaves out.
_REST_BYTES = 64 * 1024
# The tag and the length that protobuf writes before a row.
_FRAME_BYTES = 6


class AnswerRoom:
    """The room that is left in one answer."""

    def __init__(self) -> None:
        self._left_bytes = ANSWER_BYTES_MAX - _REST_BYTES
        self._is_empty = True

    def takes(self, row_bytes: int) -> bool:
        """Whether a row of so many bytes still fits; the first row always does."""
        self._left_bytes -= row_bytes + _FRAME_BYTES
        fits = self._is_empty or self._left_bytes >= 0
        self._is_empty = False
        return fits


def fitting_messages(rows: Iterable[M]) -> Iterator[M]:
    """Yield the first messages that fit into one answer; at least one."""
    return fitting(rows, lambda row: row.ByteSize())


def fitting(rows: Iterable[T], size_of: Callable[[T], int]) -> Iterator[T]:
    """Yield the first rows, by their sizes in bytes, that fit into one answer; at least one."""
    room = AnswerRoom()
    for row in rows:
        if not room.takes(size_of(row)):
            return
        yield row
