"""Leaves the store of one service without room, by quotas: they need no privileges."""

import resource
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import psycopg
from psycopg import sql

from scripts.suite.slot import Slot
from tests.support.store.databases import SQLITE
from tests.support.suite.breakable_suite import BreakableSuite

# The server's write-ahead log is written to files of 16 MiB, and shall have room. Eight fillers
# are a page without room for another event.
_FILLERS = 8 * 2_150
_FILL = (
    "INSERT INTO event SELECT -number, 'filler-' || number, 'filler', number, '',"
    f" convert_to(repeat('x', 931), 'UTF8'), 0, '', '', '', '' FROM generate_series(1, {_FILLERS})"
    " AS number"
)
_SERVER = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"
_BACKENDS = "SELECT pid FROM pg_stat_activity"


def no_room(breakable: BreakableSuite, service: str) -> AbstractContextManager[None]:
    """Let no file of the service's store grow for the time of a block."""
    if breakable.kind == SQLITE:
        return _no_room_for(breakable.slots(service))
    return _no_room_for_events(breakable.database_url(service))


@contextmanager
def _no_room_for(slots: Sequence[Slot]) -> Iterator[None]:
    """Nor may these processes write to any file but for its first byte."""
    pids = [slot.process.pid for slot in slots if slot.process is not None]
    roomy = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, roomy, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        for pid, limits in zip(pids, roomy, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def _no_room_for_events(url: str) -> Iterator[None]:
    """One table is made the largest file of the server, and no file may become larger.

    What fills it belongs to a transaction that is under way, so it can't be cleared away.
    """
    with (
        psycopg.connect(url, autocommit=True) as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute(_FILL.encode())
        size = connection.execute("SELECT pg_relation_size('event')").fetchone()
        assert size is not None
        _limit(connection, str(*size))
        try:
            yield
        finally:
            _limit(connection, "unlimited")


def _limit(connection: psycopg.Connection, size: str) -> None:
    """By the server itself, as the user that it runs as; first what its new processes inherit."""
    for processes in (_SERVER, _BACKENDS):
        pids = [pid for (pid,) in connection.execute(processes)]
        # Some are gone by then.
        command = "; ".join([*(f"prlimit --pid={pid} --fsize={size}:" for pid in pids), "true"])
        connection.execute(sql.SQL("COPY (SELECT '') TO PROGRAM {}").format(sql.Literal(command)))
