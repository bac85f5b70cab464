"""Counts statements, round trips and commits in the bytes of one connection to PostgreSQL.

Each message begins with a letter and its length (the chapter "Frontend/Backend Protocol" of
PostgreSQL's manual), except for a client's first one, which has no letter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# From the client: each of them asks the server for answers now.
_QUERY, _SYNC, _FLUSH = b"QSH"
# From the server: a statement was executed, or has failed; all that was asked is answered.
_COMMAND_COMPLETE, _ERROR, _READY = b"CEZ"
_COMMITTED = b"COMMIT\0"
_OUTSIDE_TRANSACTION = b"I"
_LENGTH_BYTES = 4


@dataclass(slots=True)
class StatementCount:
    """What one database was sent so far; round trips stay 0 where a driver makes none.

    Those `in_commits` belong to transactions that were committed, BEGIN and COMMIT included. The
    others are reads, of which a service makes many by time alone.
    """

    statements: int = 0
    statements_in_commits: int = 0
    round_trips: int = 0
    round_trips_in_commits: int = 0
    commits: int = 0


class ConnectionCounter:
    """Adds what is sent over one connection to `count`.

    A statement is counted by the server's answer, so each statement of a text and each one of a
    pipeline counts. A round trip is counted when the client asks for answers, and the server has
    sent something since it last did: all that is asked at once is one round trip.
    """

    def __init__(self, count: StatementCount) -> None:
        self._count = count
        self._sent = _Messages(has_start=True)
        self._answers = _Messages(has_start=False)
        self._is_answered = False
        # Since the connection was last outside a transaction.
        self._open = StatementCount()

    def sent(self, data: bytes) -> None:
        """Count what the client sends."""
        for letter, _ in self._sent.take(data):
            if letter in (_QUERY, _SYNC, _FLUSH) and self._is_answered:
                self._count.round_trips += 1
                self._open.round_trips += 1
                self._is_answered = False

    def answered(self, data: bytes) -> None:
        """Count what the server sends."""
        self._is_answered = True
        for letter, body in self._answers.take(data):
            if letter in (_COMMAND_COMPLETE, _ERROR):
                self._count.statements += 1
                self._open.statements += 1
            if letter == _COMMAND_COMPLETE and body == _COMMITTED:
                self._count.commits += 1
                self._open.commits += 1
            if letter == _READY and body == _OUTSIDE_TRANSACTION:
                self._end_transaction()

    def _end_transaction(self) -> None:
        if self._open.commits:
            self._count.statements_in_commits += self._open.statements
            self._count.round_trips_in_commits += self._open.round_trips
        self._open = StatementCount()


class _Messages:
    """Cuts a stream of bytes into messages; with `has_start` the first one has no letter."""

    def __init__(self, *, has_start: bool) -> None:
        self._rest = bytearray()
        self._has_start = has_start

    def take(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The letter and the body of each message that `data` completes."""
        self._rest += data
        while True:
            letters = 0 if self._has_start else 1
            start = letters + _LENGTH_BYTES
            if len(self._rest) < start:
                return
            end = letters + int.from_bytes(self._rest[letters:start], "big")
            if len(self._rest) < end:
                return
            if not self._has_start:
                yield self._rest[0], bytes(self._rest[start:end])
            self._has_start = False
            del self._rest[:end]
