"""Connections to PostgreSQL whose unanswered statements are seen and cut by another thread.

libpq waits for an answer without end, and a connection behind a proxy that stops forwarding stays
open: keepalives are answered by the proxy. Shutting the socket down ends the wait like a lost
connection. Statements themselves cost two additions; time is measured by who looks at them.
"""

import os
import socket
import threading
import weakref
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

T = TypeVar("T")

_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})


class WatchedConnection(psycopg.Connection[Any]):
    """Counts `turns`: odd while a statement waits for the server.

    A stale connection is to be replaced before its next transaction.
    """

    turns = 0
    is_stale = False
    # Whether a pooler gives each transaction another session of the server.
    is_pooled = False

    def send(self, commands: bytes) -> PGresult:
        """Send commands straight to libpq; a cursor would cost twice as much."""
        self.turns += 1
        try:
            result = self.pgconn.exec_(commands)
        finally:
            self.turns += 1
        if result.status not in _GOOD:
            raise psycopg.errors.error_from_result(result)
        return result

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        self.turns += 1
        try:
            return super().wait(gen, *args, **kwargs)
        finally:
            self.turns += 1


@dataclass(slots=True)
class _Seen:
    """What the last look found: the turn, since when, and the socket's inode."""

    turns: int
    since_s: float
    inode: int


class ConnectionWatch:
    """The open connections of one dialect; any thread adds them, one thread looks at them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: weakref.WeakKeyDictionary[WatchedConnection, _Seen] = (
            weakref.WeakKeyDictionary()
        )

    def add(self, connection: WatchedConnection) -> None:
        """Watch a new connection."""
        seen = _Seen(connection.turns, 0.0, os.fstat(connection.fileno()).st_ino)
        with self._lock:
            self._seen[connection] = seen

    def cut_silent(self, now_s: float, limit_s: float) -> bool:
        """Cut each connection whose statement is unanswered for `limit_s`; whether there was one.

        A statement's time begins with the first look that finds it. All other connections become
        stale, because they may lead to the same silent server.
        """
        with self._lock:
            watched = list(self._seen.items())
        has_cut = False
        for connection, seen in watched:
            turns = connection.turns
            if turns != seen.turns:
                seen.turns, seen.since_s = turns, now_s
            elif turns % 2 and now_s - seen.since_s >= limit_s:
                _shut_down(connection, seen.inode)
                has_cut = True
        if has_cut:
            for connection, _ in watched:
                connection.is_stale = True
        return has_cut


def _shut_down(connection: WatchedConnection, inode: int) -> None:
    """Shut a connection's socket down, unless libpq has closed it; its number may be in use."""
    try:
        descriptor = os.dup(connection.fileno())
    except (OSError, psycopg.Error):
        return
    # The socket object closes the copy.
    with socket.socket(fileno=descriptor) as copy:
        if os.fstat(descriptor).st_ino == inode:
            try:
                copy.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
