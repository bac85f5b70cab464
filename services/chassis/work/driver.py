"""Drives pending work to its end in the background, without any caller.

A write that opens work also claims it, and the driver starts at once after its COMMIT. A loop finds
the remaining work: work whose owner died, and work whose backoff is over.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from functools import partial

import grpc
import structlog
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation
from services.chassis.telemetry.error_text import describe
from services.chassis.work.lease import Claim, Leases, StaleLeaseError

BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 30.0
# Work needs review when so many attempts made no progress and the last two ended in the same error.
# With the backoff above they take at least 20 s: by then a passing failure is over.
REVIEW_AFTER_ATTEMPTS = 8
# At most so many new claims wait for a running drive to end. Further claims are dropped: their
# leases expire, and the loop claims the work.
WAITING_MAX = 5000
# A claim that waited longer than this share of its lease is renewed before its drive begins: the
# drive takes its lease to be new.
_WAIT_SHARE = 0.1

_STORE_ERRORS = (StoreUnavailableError, StoreOverloadedError)
# A store, a service or a party outside that doesn't answer. Their text says all: a stack would only
# show where our code was meanwhile.
_OUTAGES = (*_STORE_ERRORS, grpc.RpcError, OSError)

_LOG = structlog.get_logger(__name__)


class Driver:
    """Runs `drive(claim)` for each claim of one kind, at most `max_running` at a time.

    A drive that a write started runs under the correlation of that write, and without the rest of
    its context, such as its deadline and its caller: the work is the service's own, as `run` is. A
    drive that the loop started has no correlation.

    `drive` works until the work is done or postponed, writes the outcomes itself under
    `leases.check`, and returns after its current step once `draining`. An exception is logged and
    postpones the work with backoff; the same one again and again also marks the work for review.
    StaleLeaseError only ends the drive.
    """

    def __init__(
        self,
        *,
        kind: str,
        database: Database,
        leases: Leases,
        clock: Clock,
        rng: random.Random,
        drive: Callable[[Claim], Awaitable[None]],
        poll_s: float = 0.5,
        max_running: int = 256,
        drain_s: float = 5.0,
    ) -> None:
        self._kind = kind
        self._database = database
        self._leases = leases
        self._clock = clock
        self._rng = rng
        self._drive = drive
        self._poll_s = poll_s
        self._max_running = max_running
        self._drain_s = drain_s
        self._draining = False
        self._waiting: deque[tuple[Claim, Correlation, float]] = deque()
        self._running: dict[asyncio.Task[None], Claim] = {}
        self._nap: asyncio.Future[None] | None = None
        # Set while drives may start; each starts in a copy of the context of `run`.
        self._group: asyncio.TaskGroup | None = None
        self._context = Context()

    @property
    def draining(self) -> bool:
        """Whether new work must be opened without a lease, for another instance."""
        return self._draining

    async def run(self) -> None:
        """Claim and drive work until cancelled or drained; the owner's TaskGroup runs it.

        Cancelling stops drives immediately, like a crash: their leases must expire.
        """
        async with asyncio.TaskGroup() as group:
            self._group, self._context = group, copy_context()
            try:
                self._fill()
                while not self._draining:
                    await self._claim_due()
                    await self._pause()
            finally:
                self._group = None

    def start(self, claim: Claim) -> None:
        """Drive a claim whose row was just committed; pass this as `then` of the write."""
        self._queue(claim, correlation.current())

    def _queue(self, claim: Claim, origin: Correlation) -> None:
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append((claim, origin, self._clock.monotonic()))
            self._fill()

    async def drain(self) -> None:
        """Claim nothing more, let drives finish their current step, and release all leases.

        A drive that takes longer than `drain_s` seconds is cancelled; another instance repeats its
        step.
        """
        self._draining = True
        if self._nap is not None:
            self._nap.cancel()
        unfinished = dict(self._running)
        await self._wait_or_cancel(set(unfinished))
        try:
            # This empty write waits for earlier writes, which may have opened work with a lease;
            # afterwards their claims are in `_waiting`.
            await self._database.write(_no_op)
            left = (*unfinished.values(), *(claim for claim, *_ in self._waiting))
            await self._database.write(self._release_all, left)
        except _STORE_ERRORS as error:
            _LOG.warning("release_failed", kind=self._kind, error=str(error))
        self._waiting.clear()

    async def _claim_due(self) -> None:
        free = self._max_running - len(self._running) - len(self._waiting)
        try:
            # The read saves an idle service from taking the writers' lock.
            if free > 0 and await self._has_due() and not self._draining:
                claim_due = self._leases.claim_due
                await self._database.write(claim_due, self._kind, free, then=self._start_all)
        except _STORE_ERRORS as error:
            _LOG.warning("claim_failed", kind=self._kind, error=str(error))

    async def _has_due(self) -> bool:
        return await self._database.read(self._leases.has_due, self._kind, snapshot=False)

    def _start_all(self, claims: tuple[Claim, ...]) -> None:
        self._leases.committed(*claims)
        for claim in claims:
            self._queue(claim, correlation.EMPTY)

    async def _pause(self) -> None:
        """Sleep for the poll interval +- 20 %, so that instances do not poll at the same time."""
        if self._draining:
            return
        self._nap = asyncio.ensure_future(
            self._clock.sleep(self._poll_s * self._rng.uniform(0.8, 1.2))
        )
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()

    def _fill(self) -> None:
        """Start waiting claims while fewer than `max_running` drives run."""
        while self._group and not self._draining and self._waiting:
            if len(self._running) >= self._max_running:
                return
            claim, origin, since_s = self._waiting.popleft()
            # Not in the present context: the work must inherit neither the deadline nor the caller
            # of the call that wrote it.
            task = self._group.create_task(
                self._run(claim, origin, since_s), context=self._context.copy()
            )
            self._running[task] = claim
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._fill()

    async def _run(self, claim: Claim, origin: Correlation, since_s: float) -> None:
        correlation.bind(origin)
        try:
            if self._clock.monotonic() - since_s > self._leases.lease_s * _WAIT_SHARE:
                # Raises StaleLeaseError if another instance has claimed the work meanwhile.
                await self._database.write(self._leases.renew, claim)
            await self._drive(claim)
        except StaleLeaseError:
            _LOG.info("drive_superseded", kind=self._kind, subject=claim.subject)
        except Exception as error:  # noqa: BLE001 - one subject's failure must not stop the rest
            write = _LOG.warning if isinstance(error, _OUTAGES) else _LOG.exception
            write("drive_failed", kind=self._kind, subject=claim.subject, error=describe(error))
            await self._postpone(claim, error)

    async def _postpone(self, claim: Claim, error: Exception) -> None:
        delay_s = min(BACKOFF_FIRST_S * 2 ** min(claim.attempts, 30), BACKOFF_MAX_S)
        fail = partial(self._fail, claim=claim, delay_s=delay_s, error=error)
        try:
            if await self._database.write(fail):
                _LOG.error(
                    "drive_needs_review",
                    kind=self._kind,
                    subject=claim.subject,
                    error=describe(error),
                )
        except (StaleLeaseError, *_STORE_ERRORS) as failure:
            # The lease expires, and then an instance claims it.
            _LOG.warning("postpone_failed", subject=claim.subject, error=str(failure))

    def _fail(
        self, connection: Connection, claim: Claim, *, delay_s: float, error: Exception
    ) -> bool:
        """Postpone the work; return whether this attempt marks it for review.

        It does after many attempts, if the attempt before it ended in the same error. A store that
        is away mends itself. Progress clears the mark.
        """
        row, text = self._leases.get(connection, claim.subject), describe(error)
        needs_review = (
            row is not None
            and row.last_error == text
            and row.attempts + 1 >= REVIEW_AFTER_ATTEMPTS
            and not isinstance(error, _STORE_ERRORS)
        )
        self._leases.postpone(
            connection, claim, delay_s=delay_s, error=text, needs_review=needs_review
        )
        return needs_review and row is not None and not row.needs_review

    async def _wait_or_cancel(self, drives: set[asyncio.Task[None]]) -> None:
        """Wait for the drives; cancel those that still run after `drain_s` seconds."""
        time_limit = asyncio.ensure_future(self._clock.sleep(self._drain_s))
        pending: set[asyncio.Future[None]] = {time_limit, *drives}
        while len(pending) > 1 and not time_limit.done():
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        time_limit.cancel()
        for task in drives:
            task.cancel()
        await asyncio.wait({time_limit, *drives})

    def _release_all(self, connection: Connection, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._leases.release(connection, claim)


def _no_op(_: Connection) -> None:
    """Write nothing; the caller waits for earlier writes."""
