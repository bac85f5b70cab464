"""The threads that run reads; a read sees the database as of one instant and cannot write."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import (
    ReadTimeoutError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from services.chassis.store.job import Job
from services.chassis.store.silence import SilenceWatch


class _CurrentRead:
    """The read that one thread runs, whether it is over before it has ended, and what cancels it.

    One object a thread, so that a short read costs no more than an assignment.
    """

    def __init__(self, silence: SilenceWatch) -> None:
        self._silence = silence
        self.job: Job | None = None
        # Of the thread's connection, where the server must be asked.
        self.cancel: Callable[[], None] | None = None

    def is_over(self) -> bool:
        """Whether nobody waits for the read any more, or it has taken too long.

        The dialect calls it in the middle of a long statement, on the reader's thread. A read's
        time begins with the first call, which saves short reads from looking at the clock.
        """
        job = self.job
        if job is None:
            return False
        now_s = self._silence.clock.monotonic()
        if job.first_look_s is None:
            job.first_look_s = now_s
        job.timed_out = now_s - job.first_look_s >= self._silence.limit_s
        return job.abandoned or job.timed_out


class Readers:
    """Owns the reader threads, each with its connection. All methods are for the event loop."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        clock: Clock,
        silence: SilenceWatch,
        name: str,
        threads: int,
        queue_max: int,
        opened: Callable[[Connection], None],
    ) -> None:
        self._dialect = dialect
        self._opened = opened
        self._clock = clock
        self._queue_max = queue_max
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = [self._loop.create_future() for _ in range(threads)]
        self._closing = False
        self._current = [_CurrentRead(silence) for _ in range(threads)]
        for number, of_thread in enumerate(zip(self._stopped, self._current, strict=True)):
            threading.Thread(
                target=self._work, args=of_thread, name=f"{name}-{number}", daemon=True
            ).start()

    @property
    def running(self) -> int:
        """How many reads have a thread."""
        return sum(current.job is not None for current in self._current)

    @property
    def waiting(self) -> int:
        """How many reads wait for a thread."""
        return self._queue.qsize()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises StoreOverloadedError, or StoreUnavailableError once closed."""
        if self._closing:
            raise StoreUnavailableError("the database is closed")
        if self._queue.qsize() >= self._queue_max:
            raise StoreOverloadedError(f"{self._queue_max} reads wait for the database")
        self._queue.put(job)

    def abandon(self, job: Job) -> None:
        """End a read whose caller has left, so that others get its thread."""
        job.abandoned = True
        cancel = job.cancel
        if cancel is not None:
            cancel()

    async def close(self) -> None:
        """Refuse further reads, and wait until the queued ones are done."""
        if not self._closing:
            self._closing = True
            for _ in self._stopped:
                self._queue.put(None)
        await asyncio.wait(self._stopped)

    def _work(self, stopped: asyncio.Future[None], current: _CurrentRead) -> None:
        connection: Connection | None = None
        has_failed = False
        try:
            while (job := self._queue.get()) is not None:
                if connection is None and has_failed and job.expires_at <= self._clock.monotonic():
                    # It waited behind reads that failed, for as long as each of them.
                    job.error = StoreUnavailableError("the store did not answer in time")
                    self._loop.call_soon_threadsafe(job.settle)
                elif not job.future.done():
                    connection = self._read(connection, job, current)
                    has_failed = connection is None
                    self._loop.call_soon_threadsafe(job.settle)
        except RuntimeError:
            # The loop was closed before the database, so no caller is left.
            return
        finally:
            # Before `stopped`: a connection that is closed while the process exits crashes it.
            if connection is not None:
                self._dialect.close(connection)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(stopped.set_result, None)

    def _read(
        self, connection: Connection | None, job: Job, current: _CurrentRead
    ) -> Connection | None:
        """Run one read; return the connection for the next one, None if it failed."""
        if connection is not None and self._dialect.is_stale(connection):
            self._dialect.close(connection)
            connection = None
        try:
            if connection is None:
                connection = self._dialect.open_reader()
                current.cancel = self._dialect.limit_reads(connection, current.is_over)
                self._opened(connection)
            current.job, job.cancel = job, current.cancel
            if job.abandoned:
                # `abandon` may have come before there was a connection.
                raise StoreUnavailableError("the caller has left")
            if job.snapshot:
                self._dialect.begin_snapshot(connection)
                has_begun = True
            else:
                has_begun = self._dialect.begin_statements(connection)
            job.run(connection)
            # From here on `abandon` leaves the connection alone; it may have cancelled it before.
            current.job = job.cancel = None
            if has_begun and not job.abandoned:
                self._dialect.rollback(connection)
            failure = job.error
            failed = job.abandoned or (
                failure is not None and self._dialect.is_store_failure(failure)
            )
        except BaseException as error:  # noqa: BLE001 - the thread must survive, and the caller gets it
            failure, failed = error, True
            current.job = job.cancel = None
        if not failed:
            return connection
        if connection is not None:
            self._dialect.close(connection)
        if isinstance(failure, StoreUnavailableError):
            job.error = failure
        elif job.timed_out:
            job.error = ReadTimeoutError("the read took longer than DATABASE_TIMEOUT_S")
            job.error.__cause__ = failure
        else:
            job.error = StoreUnavailableError("the store did not answer")
            job.error.__cause__ = failure
        return None
