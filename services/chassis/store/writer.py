"""The one thread that writes: many callers, one transaction, one COMMIT, one fsync.

The thread takes whoever waits, runs each function behind a savepoint, and commits all of them
together. A transaction per caller on the event loop cost 2-3 ms of CPU; this costs a tenth.
Callers wait on futures of their event loop, which are settled only after the COMMIT.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.change import Change
from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import StoreOverloadedError, StoreUnavailableError
from services.chassis.store.job import Job

BATCH_FUNCTIONS = 64
BATCH_S = 0.05
# After a batch the writer rests for as long as that one took, but no longer than this. A batch
# costs a fixed amount (lock, frames of the log, fsync, two wake-ups): the busier the machine, the
# longer it takes, and the more callers come together meanwhile to share the next one.
REST_MAX_S = 0.025
LOCK_RECHECK_S = 0.1


class _TransactionLostError(Exception):
    """A failure that took the whole transaction with it."""


class Writer:
    """Owns the writer thread. All methods are for the event loop it was made on."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        clock: Clock,
        name: str,
        queue_max: int,
        committed: Callable[[Sequence[Change]], None],
    ) -> None:
        self._dialect = dialect
        self._clock = clock
        self._queue_max = queue_max
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Only the turn is contended: the thread takes a job, or the loop expires it, never both.
        self._turn = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._someone_waits = asyncio.Event()
        self._connection: Connection | None = None
        # Written by the thread, read by the loop: whether the thread waits for the lock.
        self._wants_lock = False
        self._closing = threading.Event()
        self.stopped: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a thread that waits for the lock of a frozen process must not keep this one.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises StoreOverloadedError, or StoreUnavailableError once closed."""
        if self._closing.is_set():
            raise StoreUnavailableError("the database is closed")
        if self._queue.qsize() >= self._queue_max:
            raise StoreOverloadedError(f"{self._queue_max} writes wait for the database")
        self._waiting.append(job)
        self._someone_waits.set()
        self._queue.put(job)

    def close(self) -> None:
        """Accept nothing more; the thread writes what is queued and then ends (`stopped`)."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)

    async def expire_waiters(self) -> None:
        """Answer StoreUnavailableError to whoever waits too long for the lock; for ever.

        The thread itself may be blocked in the lock for as long as another process is frozen.
        A slow disk, or a pause of the whole process, is no reason to give up: the turn comes.
        """
        while True:
            await self._someone_waits.wait()
            self._drop_settled()
            if not self._waiting:
                self._someone_waits.clear()
                continue
            first_expires_at = min(job.expires_at for job in self._waiting)
            patience_s = first_expires_at - self._clock.monotonic()
            await self._clock.sleep(max(patience_s, LOCK_RECHECK_S))
            if self._wants_lock:
                self.expire(self._clock.monotonic())

    def expire(self, now: float) -> None:
        """Give up every waiting job that expires at or before `now`, a monotonic instant."""
        with self._turn:
            for job in self._waiting:
                if not job.taken and not job.future.done() and job.expires_at <= now:
                    job.future.set_exception(
                        StoreUnavailableError("the writers' lock was not to be had in time")
                    )
        self._drop_settled()

    def _drop_settled(self) -> None:
        """Turns come in order, so whoever still waits stands behind everybody who doesn't."""
        while self._waiting and (self._waiting[0].taken or self._waiting[0].future.done()):
            self._waiting.popleft()

    def _work(self) -> None:
        rests_until_s = self._clock.monotonic()
        while (job := self._queue.get()) is not None:
            self._rest(rests_until_s)
            began_s = self._clock.monotonic()
            taken = self._run_batch(job)
            if not self._tell(self._settle, taken):
                break
            ended_s = self._clock.monotonic()
            rests_until_s = ended_s + min(ended_s - began_s, REST_MAX_S)
        if self._connection is not None:
            self._dialect.close(self._connection)
        self._tell(self._settle_stopped)

    def _rest(self, until_s: float) -> None:
        """Let others come, too; who comes later than the last batch was long never waits."""
        pause_s = until_s - self._clock.monotonic()
        if pause_s > 0:
            self._closing.wait(pause_s)

    def _run_batch(self, first: Job) -> list[Job]:
        """Run `first` and whoever waits behind it in one transaction; answer who took part."""
        taken: list[Job] = []
        try:
            self._fill_transaction(self._begin(first), first, taken)
        except BaseException as error:  # noqa: BLE001 - callers wait, the thread must outlive it
            taken = taken or [first]
            self._give_up(taken, error)
        finally:
            self._dialect.unlock()
        return taken

    def _begin(self, first: Job) -> Connection:
        """A connection with a transaction begun; asks for the lock for as long as `first` waits."""
        self._wants_lock = True
        try:
            self._dialect.lock()
            while True:
                self._connection = self._connection or self._dialect.open_writer()
                try:
                    self._dialect.begin(self._connection)
                except Exception as error:
                    if first.future.done() or not self._dialect.is_lock_timeout(error):
                        raise
                else:
                    return self._connection
        finally:
            self._wants_lock = False

    def _fill_transaction(self, connection: Connection, first: Job, taken: list[Job]) -> None:
        ends_at = self._clock.monotonic() + BATCH_S
        job: Job | None = first
        kept = False
        while job is not None:
            if self._take(job):
                taken.append(job)
                self._run(connection, job, behind_savepoint=kept)
                if job.error is not None and not kept:
                    self._dialect.rollback(connection)
                    return
                kept = True
            job = self._next(taken, ends_at)
        self._dialect.commit(connection)

    def _take(self, job: Job) -> bool:
        """Whether it is this job's turn; a caller that was cancelled or gave up has none."""
        with self._turn:
            job.taken = not job.future.done()
            return job.taken

    def _next(self, taken: list[Job], ends_at: float) -> Job | None:
        if len(taken) >= BATCH_FUNCTIONS or self._clock.monotonic() >= ends_at:
            return None
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self._queue.put(None)
        return job

    def _run(self, connection: Connection, job: Job, *, behind_savepoint: bool) -> None:
        """Run one function; its failure undoes its own work alone.

        The first function of a transaction needs no savepoint: undoing it is undoing all.
        Raises _TransactionLostError when the failure took the transaction along.
        """
        if behind_savepoint:
            self._dialect.savepoint(connection)
        job.run(connection)
        if job.error is not None and self._dialect.is_store_failure(job.error):
            raise _TransactionLostError from job.error
        # A function may swallow the error that aborted the transaction, so this is asked always.
        if not self._dialect.is_open(connection):
            raise _TransactionLostError from job.error
        if job.error is None and self._dialect.is_spoilt(connection):
            job.error = RuntimeError("the function went on after a statement had failed")
        # One that is no longer needed stays until the next one, or the COMMIT, releases it.
        if behind_savepoint and job.error is not None:
            self._dialect.rollback_to_savepoint(connection)

    def _give_up(self, jobs: list[Job], cause: BaseException) -> None:
        """The transaction is gone, so nobody in it has an answer: refusals too read lost writes."""
        if self._connection is not None:
            self._dialect.close(self._connection)
            self._connection = None
        for job in jobs:
            job.taken = True
            job.result = None
            job.error = StoreUnavailableError("the store did not commit")
            job.error.__cause__ = cause.__cause__ or cause

    def _tell(self, callback: Callable[..., None], *args: object) -> bool:
        """Call back on the event loop; False once there is no loop to tell."""
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            return False
        return True

    def _settle(self, jobs: list[Job]) -> None:
        """Answer the callers of one batch, and tell what was committed."""
        for job in jobs:
            job.batch_size = len(jobs)
            job.settle()
        self._drop_settled()
        kept = [job for job in jobs if job.error is None]
        if kept:
            self._committed([change for job in kept for change in job.changes])

    def _settle_stopped(self) -> None:
        if not self.stopped.done():
            self.stopped.set_result(None)
