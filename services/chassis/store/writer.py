"""The writer thread: it runs the waiting writes in one transaction, with one COMMIT and one fsync.

The functions of a batch share a unit of work, and a failure undoes its own function alone. A
transaction per caller on the event loop took 2-3 ms of CPU; a batch takes a tenth of that per
caller. Callers wait on futures of their event loop, which are resolved only after the COMMIT.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import StoreOverloadedError, StoreUnavailableError
from services.chassis.store.job import Job
from services.chassis.store.shared_transaction import (
    BeginAgainError,
    SharedTransaction,
    follow_statements,
)
from services.chassis.store.unit.change import Change
from services.chassis.store.unit.pipeline import NoPipelines
from services.chassis.store.unit.unit import unit_of_work

BATCH_FUNCTIONS = 64
BATCH_S = 0.05
# After a batch the writer rests for as long as that batch took, at most this long, so that more
# callers share the next one. Each batch has a fixed cost (lock, frames of the log, fsync, two
# wake-ups), and the busier the machine is, the more it pays to share that.
REST_MAX_S = 0.025
LOCK_RECHECK_S = 0.1


class Writer:
    """Owns the writer thread and its connection. Use it on the event loop it was made on."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        clock: Clock,
        name: str,
        queue_max: int,
        committed: Callable[[Sequence[Change]], None],
        opened: Callable[[Connection], None],
    ) -> None:
        self._dialect = dialect
        self._clock = clock
        self._queue_max = queue_max
        self._committed = committed
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Jobs that the thread has seen but not started.
        self._ready: deque[Job] = deque()
        # Guards the start of each job: either the thread takes it, or the loop expires it.
        self._turn = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._has_waiting = asyncio.Event()
        self._connection: Connection | None = None
        # Called on the loop after each COMMIT, with the number of writes and the seconds it took.
        self.on_batch: Callable[[int, float], None] | None = None
        # The thread's present wait for the lock; written by the thread, read by the loop.
        self._lock_wait: object | None = None
        self._closing = threading.Event()
        self.stopped: asyncio.Future[None] = self._loop.create_future()
        # A daemon: waiting for the lock of a frozen process must not keep this process alive.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many writes have not started yet."""
        return self._queue.qsize() + len(self._ready)

    def submit(self, job: Job) -> None:
        """Queue a job. Raises StoreOverloadedError, or StoreUnavailableError once closed."""
        if self._closing.is_set():
            raise StoreUnavailableError("the database is closed")
        if self._queue.qsize() >= self._queue_max:
            raise StoreOverloadedError(f"{self._queue_max} writes wait for the database")
        self._waiting.append(job)
        self._has_waiting.set()
        self._queue.put(job)

    def close(self) -> None:
        """Refuse further writes; `stopped` is resolved once the thread has done the queued ones."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)

    async def expire_waiters(self) -> None:
        """Fail jobs that wait too long for the lock (StoreUnavailableError); runs until cancelled.

        The thread cannot do this: it may be blocked in the lock while another process is frozen.
        Jobs expire only while the thread waits for the lock; after a slow disk or a pause of the
        whole process they still run.
        """
        while True:
            await self._has_waiting.wait()
            self._drop_settled()
            if not self._waiting:
                self._has_waiting.clear()
                continue
            first_expires_at = min(job.expires_at for job in self._waiting)
            expires_in_s = first_expires_at - self._clock.monotonic()
            await self._clock.sleep(max(expires_in_s, LOCK_RECHECK_S))
            wait = self._lock_wait
            if wait is None:
                continue
            # After a pause of the whole process the thread gets the time to take a free lock.
            await self._clock.sleep(LOCK_RECHECK_S)
            if self._lock_wait is wait:
                self.expire(self._clock.monotonic())

    def expire(self, now: float) -> None:
        """Fail every job that has not started and expires by `now`, a monotonic instant."""
        with self._turn:
            for job in self._waiting:
                if not job.taken and not job.future.done() and job.expires_at <= now:
                    job.future.set_exception(
                        StoreUnavailableError("the writers' lock was not acquired in time")
                    )
        self._drop_settled()

    def _drop_settled(self) -> None:
        """Forget the jobs at the head that have started or failed; jobs start in order."""
        while self._waiting and (self._waiting[0].taken or self._waiting[0].future.done()):
            self._waiting.popleft()

    def _work(self) -> None:
        rests_until_s = self._clock.monotonic()
        while (job := self._ready.popleft() if self._ready else self._queue.get()) is not None:
            self._rest(rests_until_s)
            began_s = self._clock.monotonic()
            taken = self._run_batch(job)
            took_s = self._clock.monotonic() - began_s
            if not self._call_on_loop(self._settle, taken, took_s):
                break
            rests_until_s = self._clock.monotonic() + min(took_s, REST_MAX_S)
        if self._connection is not None:
            self._dialect.close(self._connection)
        self._call_on_loop(self._settle_stopped)

    def _rest(self, until_s: float) -> None:
        """Wait until `until_s` for more callers to arrive; a monotonic instant."""
        pause_s = until_s - self._clock.monotonic()
        if pause_s > 0:
            self._closing.wait(pause_s)

    def _run_batch(self, first: Job) -> list[Job]:
        """Run `first` and jobs queued after it in one transaction; return those that took part."""
        taken: list[Job] = []
        try:
            connection = self._begin(first)
            self._gather(BATCH_FUNCTIONS - 1)
            self._fill_transaction(connection, first, taken)
        except BaseException as error:  # noqa: BLE001 - the thread must survive, and callers get it
            if not taken:
                taken = [first]
                self._ready = deque(job for job in self._ready if job is not first)
            self._give_up(taken, error)
        finally:
            self._dialect.unlock()
        return taken

    def _begin(self, first: Job, *, again: bool = False) -> Connection:
        """Begin a transaction; wait for the lock until it is acquired or `first` has expired.

        Jobs that have started no longer expire, so `again` ends the wait with its first timeout.
        """
        self._lock_wait = object()
        try:
            self._dialect.lock()
            while True:
                self._drop_stale()
                if self._connection is None:
                    # Opening is no wait for the lock, and has its own time limits.
                    self._lock_wait = None
                    self._connection = self._dialect.open_writer()
                    self._opened(self._connection)
                    follow_statements(self._connection)
                    self._lock_wait = object()
                try:
                    self._dialect.begin(self._connection)
                except Exception as error:
                    ends = again or first.future.done()
                    if ends or not self._dialect.is_lock_timeout(error):
                        raise
                else:
                    return self._connection
        finally:
            self._lock_wait = None

    def _drop_stale(self) -> None:
        if self._connection is not None and self._dialect.is_stale(self._connection):
            self._dialect.close(self._connection)
            self._connection = None

    def _fill_transaction(self, connection: Connection, first: Job, taken: list[Job]) -> None:
        self._ready.appendleft(first)
        try:
            with unit_of_work(connection, self._dialect) as unit:
                shared = SharedTransaction(self._dialect, connection, unit, take=self._take)
                if self._run_together(shared, taken):
                    shared.commit()
                else:
                    self._dialect.rollback(connection)
        except BeginAgainError:
            self._dialect.rollback(connection)
            begun = self._begin(first, again=True)
            with unit_of_work(begun, NoPipelines()) as unit:
                again = SharedTransaction(self._dialect, begun, unit, take=self._take)
                again.run_apart(taken, self._ready)
                self._dialect.commit(begun)

    def _run_together(self, shared: SharedTransaction, taken: list[Job]) -> bool:
        """Run the jobs that are ready; False if the only one that ran has failed."""
        ends_at = self._clock.monotonic() + BATCH_S
        while self._ready:
            for _ in range(shared.read_ahead(self._ready)):
                is_over = self._clock.monotonic() >= ends_at
                # One function runs in any case, however long reading took.
                if taken and (len(taken) >= BATCH_FUNCTIONS or is_over):
                    return True
                if not shared.run(self._ready, taken):
                    return False
            # Others may have come meanwhile.
            self._gather(BATCH_FUNCTIONS - len(taken))
        return True

    def _gather(self, at_most: int) -> None:
        """Move waiting jobs from the queue to `_ready`, in order."""
        while len(self._ready) < at_most:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            if job is None:
                # The last one: it ends the thread once all jobs are done.
                self._queue.put(None)
                return
            self._ready.append(job)

    def _take(self, job: Job) -> bool:
        """Start a job; False if its caller was cancelled or it has expired."""
        with self._turn:
            job.taken = not job.future.done()
            return job.taken

    def _give_up(self, jobs: list[Job], cause: BaseException) -> None:
        """Fail every job of a lost transaction, also refusals: they may have read lost writes."""
        if self._connection is not None:
            self._dialect.close(self._connection)
            self._connection = None
        for job in jobs:
            job.taken = True
            job.result = None
            if isinstance(cause, StoreUnavailableError):
                job.error = cause
            else:
                job.error = StoreUnavailableError("the store did not commit")
                job.error.__cause__ = cause.__cause__ or cause

    def _call_on_loop(self, callback: Callable[..., None], *args: object) -> bool:
        """Call `callback` on the event loop; False if the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            return False
        return True

    def _settle(self, jobs: list[Job], took_s: float) -> None:
        """Resolve the futures of one batch, and report what it committed."""
        for job in jobs:
            job.batch_size = len(jobs)
            job.settle()
        self._drop_settled()
        committed = [job for job in jobs if job.error is None]
        if committed:
            self._committed([change for job in committed for change in job.changes])
            if self.on_batch is not None:
                self.on_batch(len(committed), took_s)

    def _settle_stopped(self) -> None:
        if not self.stopped.done():
            self.stopped.set_result(None)
