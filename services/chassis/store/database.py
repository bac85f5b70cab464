"""The database of one service: serial writes in batches, parallel reads, all off the event loop.

`write` and `read` take a synchronous function of a SQLAlchemy Core connection and run all of it
on another thread, with one switch of threads each way. The writers of a service run one after
another, on SQLite and on PostgreSQL, so there is no write skew, no deadlock, and no position in
the event log that becomes visible after a higher one.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, TypeVarTuple

from sqlalchemy import Connection

from discovery.clock import Clock, SystemClock
from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import (
    DatabaseSettingsError,
    HistoryLostError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from services.chassis.store.job import Job
from services.chassis.store.micros import to_micros
from services.chassis.store.readers import Readers
from services.chassis.store.schema.upgrade import upgrade
from services.chassis.store.silence import ANSWER_TIMEOUT_S, SilenceWatch
from services.chassis.store.unit.change import Change
from services.chassis.store.unit.needs import Needs
from services.chassis.store.urls import dialect_of
from services.chassis.store.writer import Writer

if TYPE_CHECKING:
    from services.chassis.store.write_spans import WriteSpans

__all__ = [
    "Database",
    "DatabaseSettingsError",
    "StoreOverloadedError",
    "StoreUnavailableError",
]

LOCK_WAIT_S = 2.0
# Another instance may be migrating already.
MIGRATION_WAIT_S = 60.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Database:
    """Runs functions on a database. Make it with `open`, and use it on that event loop only."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        clock: Clock,
        owner: str,
        readers: int,
        queue_max: int,
        lock_wait_s: float,
        timeout_s: float = ANSWER_TIMEOUT_S,
        spans: "WriteSpans | None" = None,
    ) -> None:
        self._dialect = dialect
        self._clock = clock
        self._lock_wait_s = lock_wait_s
        self._spans = spans
        self._commit_callbacks: list[Callable[[], None]] = []
        self._change_callbacks: list[Callable[[Sequence[Change]], None]] = []
        self._connection_checks: list[Callable[[Connection], None]] = []
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        # Real time: a server answers by it, whatever clock the service is given.
        self.silence = SilenceWatch(dialect, clock=SystemClock(), timeout_s=timeout_s)
        self.readers = Readers(
            dialect,
            clock=clock,
            silence=self.silence,
            name=f"read-{owner}",
            threads=readers,
            queue_max=queue_max,
            opened=self._opened,
        )
        self.writer = Writer(
            dialect,
            clock=clock,
            name=f"write-{owner}",
            queue_max=queue_max,
            committed=self._committed,
            opened=self._opened,
        )
        self._expiry = asyncio.create_task(self.writer.expire_waiters())
        self._watching = asyncio.create_task(self.silence.run())

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        clock: Clock,
        owner: str,
        readers: int = 2,
        queue_max: int = 1024,
        lock_wait_s: float = LOCK_WAIT_S,
        timeout_s: float = ANSWER_TIMEOUT_S,
        spans: "WriteSpans | None" = None,
    ) -> Self:
        """Open `sqlite:////path/file.db` or `postgresql://host/database`, without connecting yet.

        SQLite's file may not exist yet, its folder must; PostgreSQL's database must exist.
        `owner` becomes part of thread names. At most `queue_max` writes and `queue_max` reads
        wait at a time; a write waits at most `lock_wait_s` for the writers' lock. A PostgreSQL
        connection on which a statement is unanswered for `timeout_s` is replaced; on SQLite, a read
        that takes so long is ended. `spans` opens a
        span for each write in a traced process. Raises DatabaseSettingsError.
        """
        return cls(
            dialect_of(url),
            clock=clock,
            owner=owner,
            readers=readers,
            queue_max=queue_max,
            lock_wait_s=lock_wait_s,
            timeout_s=timeout_s,
            spans=spans,
        )

    async def write(
        self,
        function: Callable[[Connection, *Ts], T],
        *args: *Ts,
        needs: Needs = (),
        then: Callable[[T], None] | None = None,
    ) -> T:
        """Run `function(connection, *args)` and commit it, in a batch with other waiting writes.

        The function runs on the writer thread in a copy of the caller's context. It must only
        use the connection: no other I/O, no wake-ups, and no statement after one that failed. An
        exception from it reaches the caller unchanged and undoes the work of this function alone.
        It may run twice, if the batch has to begin again. `needs` are the keys of rows that it will
        read: the batch reads those of all its functions together.
        `then(result)` runs on the event loop after the COMMIT, before the caller resumes. A
        caller that is cancelled before the function starts is skipped; if it is cancelled later,
        the write still commits and `then` still runs.

        Raises StoreUnavailableError (lock not acquired in time, disk full, I/O error, lost
        connection, no answer in time; every caller of the batch gets it) and StoreOverloadedError
        (queue full).
        """
        job = self._job(function, args, then=then, expires_in_s=self._lock_wait_s)
        job.needs = tuple(needs)
        if self._spans is not None:
            self._spans.follow(job)
        self.writer.submit(job)
        result: T = await job.future
        self.silence.answered()
        return result

    async def read(
        self, function: Callable[[Connection, *Ts], T], *args: *Ts, snapshot: bool = True
    ) -> T:
        """Run `function(connection, *args)` in a read-only snapshot on a reader thread.

        Pass `snapshot=False` for a frequent read of a single statement: beginning and ending the
        snapshot takes longer than the statement. An exception from the function reaches the
        caller unchanged. A read whose caller is cancelled is ended, and so is, on SQLite, one that
        takes longer than the timeout. Raises StoreUnavailableError (ReadTimeoutError after the
        timeout) and StoreOverloadedError.
        """
        job = self._job(function, args, expires_in_s=self._timeout_s, snapshot=snapshot)
        self.readers.submit(job)
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            # The caller's deadline is over, or it hung up.
            self.readers.abandon(job)
            raise
        self.silence.answered()
        return result

    async def mark_owner(self, owner: str) -> bool:
        """Mark `owner` as alive until this process ends or closes the database.

        False if the database cannot keep the mark, because a pooler shares its sessions. Raises
        what `write` raises.
        """
        return await self.write(self._dialect.mark_owner, owner)

    async def has_ended(self, owner: str) -> bool:
        """Whether the process that marked `owner` as alive has ended.

        A process that is slow or stopped has not. Raises what `read` raises.
        """
        return await self.read(self._dialect.has_ended, owner, snapshot=False)

    async def migrate(self, versions: Path) -> frozenset[str]:
        """Upgrade the tables to the newest revisions of the chassis and of the folder `versions`.

        It runs under the writers' lock, so several instances may start at once. Returns the
        revisions of a newer version that tables have which this one can use as they are. Raises
        WrongTablesError for others, what `write` raises, and the errors of a revision.
        """
        epoch = f"{to_micros(self._clock.now()):x}"

        def run(connection: Connection) -> frozenset[str]:
            return upgrade(connection, versions, epoch=epoch)

        job = self._job(run, (), expires_in_s=MIGRATION_WAIT_S)
        with self.silence.long_statements():
            self.writer.submit(job)
            newer: frozenset[str] = await job.future
        return newer

    def is_settings_fault(self, error: StoreUnavailableError) -> bool:
        """Whether the store failed for a reason that only other settings mend."""
        cause = error.__cause__
        return cause is not None and self._dialect.is_settings_fault(cause)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop after each COMMIT of this process."""
        self._commit_callbacks.append(callback)

    def on_changes(self, callback: Callable[[Sequence[Change]], None]) -> None:
        """Call `callback` on the event loop with the changes that a COMMIT appended, if any."""
        self._change_callbacks.append(callback)

    def on_connect(self, check: Callable[[Connection], None]) -> None:
        """Call `check` on a database thread with each new connection, before its first work.

        It may raise HistoryLostError: the connection is then closed, and the work fails with it.
        """
        self._connection_checks.append(check)

    async def close(self) -> None:
        """Finish queued writes and reads, then close; wait at most the lock wait."""
        self.writer.close()
        time_limit = asyncio.ensure_future(self._clock.sleep(self._lock_wait_s))
        await asyncio.wait({self.writer.stopped, time_limit}, return_when=asyncio.FIRST_COMPLETED)
        self.writer.expire(math.inf)
        time_limit.cancel()
        self._expiry.cancel()
        await asyncio.wait({time_limit, self._expiry})
        await self.readers.close()
        self._dialect.release_owners()
        self._watching.cancel()
        await asyncio.wait({self._watching})

    def _job(
        self,
        function: Callable[..., T],
        args: tuple[Any, ...],
        *,
        expires_in_s: float,
        then: Callable[[T], None] | None = None,
        snapshot: bool = True,
    ) -> Job:
        return Job(
            function=function,
            args=args,
            context=copy_context(),
            future=asyncio.get_running_loop().create_future(),
            then=then,
            snapshot=snapshot,
            expires_at=self._clock.monotonic() + expires_in_s,
        )

    def _opened(self, connection: Connection) -> None:
        try:
            for check in self._connection_checks:
                check(connection)
        except HistoryLostError as error:
            self._loop.call_soon_threadsafe(self.silence.lost, error)
            raise

    def _committed(self, changes: Sequence[Change]) -> None:
        for committed in self._commit_callbacks:
            committed()
        if changes:
            for appended in self._change_callbacks:
                appended(changes)
