"""One service's database: serial writes in groups, reads beside them, nothing on the event loop.

`write` and `read` take a synchronous function of a SQLAlchemy Core connection and run all of it
on another thread in one hop. Writers are serial per service, on every database: no write skew,
no deadlock, no invisible gap between positions.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, TypeVarTuple

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.change import Change
from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import (
    DatabaseSettingsError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from services.chassis.store.job import Job
from services.chassis.store.micros import to_micros
from services.chassis.store.migrations import upgrade
from services.chassis.store.readers import Readers
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
# Another instance may be migrating first.
MIGRATION_WAIT_S = 60.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Database:
    """See the module. Make it with `open`; all methods are for the event loop it was opened on."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        clock: Clock,
        owner: str,
        readers: int,
        queue_max: int,
        lock_wait_s: float,
        spans: "WriteSpans | None" = None,
    ) -> None:
        self._clock = clock
        self._lock_wait_s = lock_wait_s
        self._spans = spans
        self._commit_callbacks: list[Callable[[], None]] = []
        self._change_callbacks: list[Callable[[Sequence[Change]], None]] = []
        self._readers = Readers(dialect, name=f"read-{owner}", threads=readers, queue_max=queue_max)
        self._writer = Writer(
            dialect,
            clock=clock,
            name=f"write-{owner}",
            queue_max=queue_max,
            committed=self._committed,
        )
        self._expiry = asyncio.create_task(self._writer.expire_waiters())

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
        spans: "WriteSpans | None" = None,
    ) -> Self:
        """Open `sqlite:////path/file.db` or `postgresql://host/database`, without connecting yet.

        SQLite's file may not exist yet, its folder must; PostgreSQL's database must exist.
        `owner` names the process in thread names. At most `queue_max` writes, and as many
        reads, wait; nobody waits longer than `lock_wait_s` for a turn to write. `spans` is told
        of every write, where the process is traced.
        Raises DatabaseSettingsError.
        """
        return cls(
            dialect_of(url),
            clock=clock,
            owner=owner,
            readers=readers,
            queue_max=queue_max,
            lock_wait_s=lock_wait_s,
            spans=spans,
        )

    async def write(
        self,
        function: Callable[[Connection, *Ts], T],
        *args: *Ts,
        then: Callable[[T], None] | None = None,
    ) -> T:
        """Run `function(connection, *args)` and commit it, together with whoever else waits.

        The function runs on the writer thread in a copy of the caller's context; it must be
        pure: no calls out, no wake-ups, and no statement after one that failed. What it raises
        reaches the caller unchanged and undoes its work alone. `then(result)` runs on the event
        loop after the COMMIT, before the caller resumes. A caller cancelled before its turn is
        skipped; after its turn the write commits and `then` runs all the same.

        Raises StoreUnavailableError (no turn within the lock wait, disk full, I/O error, lost
        connection: with every caller of the batch) and StoreOverloadedError (too many wait).
        """
        job = self._job(function, args, then=then, patience_s=self._lock_wait_s)
        if self._spans is not None:
            self._spans.follow(job)
        self._writer.submit(job)
        result: T = await job.future
        return result

    async def read(
        self, function: Callable[[Connection, *Ts], T], *args: *Ts, snapshot: bool = True
    ) -> T:
        """Run `function(connection, *args)` in a read-only snapshot on a reader thread.

        A function of a single statement that is called often does as well without the `snapshot`,
        whose begin and end take longer than the statement. What it raises reaches the caller
        unchanged. Raises StoreUnavailableError and StoreOverloadedError.
        """
        job = self._job(function, args, patience_s=math.inf, snapshot=snapshot)
        self._readers.submit(job)
        result: T = await job.future
        return result

    async def migrate(self, versions: Path) -> None:
        """Bring the tables of the chassis and of `versions` up to date, under the writers' lock.

        Does nothing where they are; safe when several instances start at once.
        """
        epoch = f"{to_micros(self._clock.now()):x}"

        def run(connection: Connection) -> None:
            upgrade(connection, versions, epoch=epoch)

        job = self._job(run, (), patience_s=MIGRATION_WAIT_S)
        self._writer.submit(job)
        await job.future

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop after each COMMIT of this process."""
        self._commit_callbacks.append(callback)

    def on_changes(self, callback: Callable[[Sequence[Change]], None]) -> None:
        """Call `callback` on the event loop with the events that each COMMIT appended, in order."""
        self._change_callbacks.append(callback)

    async def close(self) -> None:
        """Write what is queued, then close; a writer blocked for the lock wait is left behind."""
        self._writer.close()
        patience = asyncio.ensure_future(self._clock.sleep(self._lock_wait_s))
        await asyncio.wait({self._writer.stopped, patience}, return_when=asyncio.FIRST_COMPLETED)
        self._writer.expire(math.inf)
        patience.cancel()
        self._expiry.cancel()
        await asyncio.wait({patience, self._expiry})
        await self._readers.close()

    def _job(
        self,
        function: Callable[..., T],
        args: tuple[Any, ...],
        *,
        patience_s: float,
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
            expires_at=self._clock.monotonic() + patience_s,
        )

    def _committed(self, changes: Sequence[Change]) -> None:
        for committed in self._commit_callbacks:
            committed()
        if changes:
            for appended in self._change_callbacks:
                appended(changes)
