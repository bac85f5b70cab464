"""Takes the free space from the store of one service, by quotas, which need no privileges."""

import resource
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import psycopg
from psycopg import sql

from scripts.suite.processes.slot import ProcessSlot
from tests.support.store.databases import SQLITE
from tests.support.suite.breakable_suite import BreakableSuite

# The table must be larger than the server's write-ahead log files of 16 MiB, which still need room.
# Eight fillers fill a page, so that no other event fits into it.
_FILLERS = 8 * 2_150
_FILL = (
    "INSERT INTO event SELECT -number, 'filler-' || number, 'filler', number, '',"
    " convert_to(repeat('x', 930), 'UTF8'), 0, '', '', '', '', '', ''"
    f" FROM generate_series(1, {_FILLERS})"
    " AS number"
)
_SERVER = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"
_BACKENDS = "SELECT pid FROM pg_stat_activity"


def no_room(breakable: BreakableSuite, service: str) -> AbstractContextManager[None]:
    """Let no file of the service's store grow during the block."""
    if breakable.kind == SQLITE:
        return _no_room_for(breakable.slots(service))
    return _no_room_for_events(breakable.database_url(service))


@contextmanager
def _no_room_for(slots: Sequence[ProcessSlot]) -> Iterator[None]:
    """Let these processes write no file beyond its first byte."""
    pids = [slot.process.pid for slot in slots if slot.process is not None]
    old_limits = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, old_limits, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        for pid, limits in zip(pids, old_limits, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def _no_room_for_events(url: str) -> Iterator[None]:
    """Make the event table the largest file of the server, and let no file become larger.

    The rows that fill it belong to an open transaction, so they can't be vacuumed.
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
    """Set the limit through the server, as its own user; new processes inherit it."""
    for processes in (_SERVER, _BACKENDS):
        pids = [pid for (pid,) in connection.execute(processes)]
        # Some processes have ended by then.
        limits = [f"prlimit --pid={pid} --fsize={size}:" for pid in pids]
        # The server writes a row to the command, and fails if nobody reads it.
        command = "; ".join([*limits, "cat >/dev/null"])
        connection.execute(sql.SQL("COPY (SELECT '') TO PROGRAM {}").format(sql.Literal(command)))
