"""Connections to PostgreSQL whose unanswered statements are seen and cut by another thread.

libpq waits for an answer without end, and a connection behind a proxy that stops forwarding stays
open: keepalives are answered by the proxy. Shutting the socket down ends the wait like a lost
connection. Statements themselves cost two additions; time is measured by who looks at them.
"""

import logging
import os
import socket
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.generators import send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from services.chassis.store.errors import StaleServerError

T = TypeVar("T")

_CANCEL_TIMEOUT_S = 5.0
_CANCEL_PAUSE_S = 0.05
_CANCELS_MAX = 8
# psycopg warns of errors that are raised anyway, and its text may hold stored values.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)

_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})


class _Pipeline(psycopg.Pipeline):
    """A pipeline whose last message to the server is Sync.

    psycopg sends Flush after it, for which the server forgets that the session is idle: it would
    never end a holder of the writers' lock that freezes within a transaction.
    """

    def _exit_gen(self) -> Generator[Any, Any, None]:
        try:
            self._enqueue_sync()
            yield from self._communicate_gen()
        finally:
            # Also what did not fit into the socket at once: the server waits for the rest of it.
            yield from send(self.pgconn)
            yield from self._fetch_gen(flush=False)


class WatchedConnection(psycopg.Connection[Any]):
    """Counts `turns`: odd while a statement waits for the server.

    A stale connection is to be replaced before its next transaction.
    """

    turns = 0
    is_stale = False
    # Whether a pooler gives each transaction another session of the server.
    is_pooled = False
    # The server's timeline, which a promoted standby begins.
    timeline = 0

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

    @contextmanager
    def sending_together(self) -> Iterator[None]:
        """Send the statements of the block in one pipeline; blocks are not nested.

        After a failure the connection is stale: psycopg takes statements for prepared that the
        server has skipped behind the failed one.
        """
        pipeline = self._pipeline = _Pipeline(self)
        try:
            with pipeline:
                yield
        except BaseException:
            self.is_stale = True
            raise
        finally:
            self._pipeline = None

    def cancel_soon(self) -> None:
        """Do `give_up` in a thread of its own. Any thread may call it."""
        threading.Thread(target=self.give_up, name="cancel", daemon=True).start()

    def give_up(self) -> None:
        """Ask the server to end the running statement, until the reader has closed the connection.

        A request that arrives before the statement begins has no effect, so it is repeated.
        """
        pause = threading.Event()
        for number in range(_CANCELS_MAX):
            if self.closed:
                return
            try:
                self.cancel_safe(timeout=_CANCEL_TIMEOUT_S)
            except psycopg.Error:
                return
            pause.wait(_CANCEL_PAUSE_S * 2**number)

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
        self._newest_timeline = 0
        # Whether the newest attempt to connect has had no answer, and how many have had one.
        self._is_unanswered = False
        self._answers = 0
        # What the last look found: those answers, and since when there is no other.
        # It begins with the first look, whose number differs from this one.
        self._seen_answers = -1
        self._unanswered_since_s = 0.0
        self._seen: weakref.WeakKeyDictionary[WatchedConnection, _Seen] = (
            weakref.WeakKeyDictionary()
        )

    def add(self, connection: WatchedConnection) -> None:
        """Watch a new connection."""
        seen = _Seen(connection.turns, 0.0, os.fstat(connection.fileno()).st_ino)
        with self._lock:
            self._seen[connection] = seen

    def connect(self, *arguments: Any, **parameters: Any) -> WatchedConnection:
        """Open a connection and watch the attempt; being refused is an answer."""
        self._is_unanswered = True
        try:
            connection = WatchedConnection.connect(*arguments, **parameters)
        except psycopg.errors.ConnectionTimeout as error:
            # The frames of its traceback would keep the unfinished connection open.
            error.__context__ = None
            raise error.with_traceback(None) from None
        except BaseException:
            self._connect_answered()
            raise
        self._connect_answered()
        return connection

    def _connect_answered(self) -> None:
        self._answers += 1
        self._is_unanswered = False

    def reach(self, connection: WatchedConnection, timeline: int) -> None:
        """Record the timeline of a connection's server; connections to older servers become stale.

        Raises StaleServerError if this server is an older one itself: a former primary that still
        runs answers from before, and what it commits is lost.
        """
        with self._lock:
            if timeline < self._newest_timeline:
                raise StaleServerError(
                    f"the database server is a former primary: its timeline is {timeline}, and"
                    f" timeline {self._newest_timeline} has begun on another server"
                )
            self._newest_timeline = connection.timeline = timeline
            for other in self._seen:
                # Those that are just being opened have none yet.
                if 0 < other.timeline < timeline:
                    other.is_stale = True

    def cut_silent(self, now_s: float, limit_s: float) -> bool:
        """Cut each connection whose statement is unanswered for `limit_s`; whether all is silent.

        A statement's time begins with the first look that finds it. All other connections become
        stale, because they may lead to the same silent server. It is silence, too, if attempts to
        connect go unanswered for so long while no statement is answered.
        """
        with self._lock:
            watched = list(self._seen.items())
        has_cut = has_answered = False
        for connection, seen in watched:
            turns = connection.turns
            if turns != seen.turns:
                seen.turns, seen.since_s = turns, now_s
                has_answered = True
            elif turns % 2 and now_s - seen.since_s >= limit_s:
                _shut_down(connection, seen.inode)
                has_cut = True
        if has_cut:
            for connection, _ in watched:
                connection.is_stale = True
        if has_answered or not self._is_unanswered or self._answers != self._seen_answers:
            self._seen_answers, self._unanswered_since_s = self._answers, now_s
        return has_cut or now_s - self._unanswered_since_s >= limit_s


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
