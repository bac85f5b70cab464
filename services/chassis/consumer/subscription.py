"""Follows another service's feed and applies each event exactly once.

All instances of a consumer share a lease. Its holder reads the feed through discovery and applies
batch after batch; one transaction writes the effects and the position, and renews the lease. A
holder whose lease has been taken finds that out before it writes anything. If the feed or the store
is unavailable, it retries without end; if an event cannot be applied, the event is parked.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import partial

import grpc
from sqlalchemy import Connection
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import Clock
from discovery.error_info import ErrorInfo, error_info
from discovery.rules.backoff import jittered
from services.chassis.consumer.consumer_lease import ConsumerLease
from services.chassis.consumer.errors import PositionMovedError, PositionNotReachedError
from services.chassis.consumer.feed_stream import HEAD_TIMEOUT_S, FeedStream
from services.chassis.consumer.inbox import (
    Attempt,
    ConsumerPosition,
    Handler,
    Inbox,
    position_at,
)
from services.chassis.consumer.interruptions import log_interruption
from services.chassis.consumer.refused_positions import (
    REFUSALS,
    log_stop,
    position_after,
    record_refusal,
)
from services.chassis.feed.wire import DEFAULT_BATCH
from services.chassis.ids import IdFactory
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.store.unit.change import AfterCommit
from services.chassis.telemetry import logs
from services.chassis.telemetry.error_text import describe
from services.chassis.work.lease import Claim, Leases, StaleLeaseError

# How often an instance without the lease checks whether it is free.
POLL_S = 0.5
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 10.0
_STORE_ERRORS = (StoreUnavailableError, StoreOverloadedError)


class Subscription:
    """Applies the feed at the channel `feed` with `handler`, as the consumer `consumer`.

    A consumer's name is its identity: all instances use the same name, and a new name starts from
    the beginning of the feed. If `types` or `topic` are given, only such events are delivered. With
    `gather`, the feed collects events for so long, which makes fewer and larger transactions. Make
    it on the event loop that runs `run`.
    """

    def __init__(
        self,
        feed: grpc.aio.Channel,
        consumer: str,
        handler: Handler,
        *,
        database: Database,
        leases: Leases,
        clock: Clock,
        ids: IdFactory,
        rng: random.Random,
        types: Sequence[str] = (),
        topic: str = "",
        max_batch: int = DEFAULT_BATCH,
        gather: timedelta | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self.inbox = Inbox(consumer=consumer, handler=handler, clock=clock, ids=ids)
        self._database = database
        self._leases = leases
        self._clock = clock
        self._rng = rng
        self._poll_s = poll_s
        self.lease = ConsumerLease(consumer, database=database, leases=leases, clock=clock)
        self._log = logs.get_logger("subscription", consumer=consumer)
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._ended.set()
        self._stream = FeedStream(
            feed,
            consumer=consumer,
            types=tuple(types),
            topic=topic,
            max_batch=max_batch,
            gather=gather,
            clock=clock,
            stopping=self._stopping,
        )
        self._restart_backoff()

    async def run(self) -> None:
        """Follow the feed until cancelled or drained; the owner's TaskGroup runs it.

        Cancelling stops it immediately, like a crash: the lease is not released and must expire.
        """
        self._ended.clear()
        try:
            while not self._stopping.done():
                try:
                    claim = await self.lease.claim()
                    if claim is None:
                        await self._stream.nap(self._poll_s * self._rng.uniform(0.8, 1.2))
                    else:
                        await self._hold(claim)
                except StaleLeaseError:
                    self._log.info("lease_lost")
                except Exception as error:  # noqa: BLE001 - no error may end the subscription
                    await self._wait_after(error)
        finally:
            self._ended.set()

    async def drain(self) -> None:
        """Finish the current batch, release the lease and end `run`."""
        if not self._stopping.done():
            self._stopping.set_result(None)
        await self._ended.wait()

    async def head(self, timeout_s: float = HEAD_TIMEOUT_S) -> pb.GetFeedResponse | None:
        """How far the feed is; None if it can't be reached now."""
        return await self._stream.head(timeout_s)

    def rewind(self, connection: Connection, after_position: int) -> ConsumerPosition | None:
        """Move the consumer back, whichever instance runs it; return its former position.

        None, without any effect, before the feed was first read. Call it in a write. Raises
        PositionNotReachedError.
        """
        former = self.inbox.reached(connection)
        position = 0 if former is None else former.position
        if after_position > position:
            raise PositionNotReachedError(
                consumer=self.inbox.consumer, after_position=after_position, position=position
            )
        if former is not None:
            self.inbox.move(connection, ConsumerPosition(former.epoch, after_position))
            self.lease.withdraw(connection)
        return former

    async def _hold(self, claim: Claim) -> None:
        """Follow the feed until an error, then release the lease to any instance."""
        try:
            await self._follow(claim)
        except grpc.aio.AioRpcError as error:
            reason = error_info(error)
            if reason is None:
                raise
            if reason.reason in REFUSALS:
                await self._record_refusal(claim, reason)
            if reason.reason != "EPOCH_CHANGED" or (await self._begin_epoch(claim)) is None:
                raise
        finally:
            # A cancelled task acts like a process that died: it does not release the lease.
            if (task := asyncio.current_task()) is None or not task.cancelling():
                await self._release(claim)

    async def _follow(self, claim: Claim) -> None:
        found = await self._database.read(self.inbox.reached, snapshot=False)
        reached = found or await self._begin_epoch(claim)
        if reached is None:
            raise PositionMovedError(f"{self.inbox.consumer} was started by another instance")
        renewed_s = self._clock.monotonic()
        async with aclosing(self._stream.messages(reached)) as messages:
            async for message in messages:
                now_s = self._clock.monotonic()
                moved = await self._apply_message(
                    claim, reached, message, due=now_s - renewed_s >= self.lease.renew_s
                )
                if moved is not None:
                    reached, renewed_s = moved, now_s
                self._restart_backoff()

    async def _apply_message(
        self,
        claim: Claim,
        reached: ConsumerPosition,
        message: pb.SubscribeEventsResponse,
        *,
        due: bool,
    ) -> ConsumerPosition | None:
        """Apply a batch or a heartbeat; return the new position, or None if nothing was written."""
        events = message.batch.events
        if events:
            return await self._apply(claim, reached, events)
        moved = position_after(message.heartbeat, reached)
        is_same = moved == reached and moved.event_id == reached.event_id
        if is_same and not reached.refusal and not due:
            return None
        return await self._database.write(self._advance, claim, reached, moved)

    async def _apply(
        self, claim: Claim, reached: ConsumerPosition, events: Sequence[Event]
    ) -> ConsumerPosition:
        """Apply a batch; after each failure, park the event that caused it and try again.

        Raises StaleLeaseError, PositionMovedError and the store's errors: read the batch again.
        """
        failures: dict[int, str] = {}
        sends_each = False
        while True:
            attempt = Attempt(sends_each=sends_each)
            write = partial(self._write_batch, claim=claim, reached=reached, events=events)
            try:
                await self._database.write(
                    partial(write, failures=failures, attempt=attempt), then=_call_back
                )
                return position_at(events[-1], reached.epoch)
            except (*_STORE_ERRORS, StaleLeaseError, PositionMovedError):
                raise
            except Exception as error:
                if (event := attempt.event) is not None:
                    failures[event.position] = describe(error)
                    log = self._log.bind(position=event.position, aggregate=event.aggregate_id)
                    log.exception("event_parked")
                elif sends_each:
                    raise
                sends_each = True

    def _write_batch(
        self,
        connection: Connection,
        *,
        claim: Claim,
        reached: ConsumerPosition,
        events: Sequence[Event],
        failures: Mapping[int, str],
        attempt: Attempt,
    ) -> tuple[AfterCommit, ...]:
        self._leases.renew(connection, claim)
        return self.inbox.apply(connection, reached, events, failures=failures, attempt=attempt)

    async def _begin_epoch(self, claim: Claim) -> ConsumerPosition | None:
        """Start at position 0 of the feed's epoch; None if the consumer has that epoch already."""
        epoch = await self._stream.epoch()

        def write(connection: Connection) -> int | None:
            self._leases.check(connection, claim)
            reached = self.inbox.reached(connection)
            if reached is not None and reached.epoch == epoch:
                return None
            return self.inbox.begin_epoch(connection, epoch)

        dropped = await self._database.write(write)
        if dropped is None:
            return None
        self._log.info("epoch_begun", epoch=epoch, letters_dropped=dropped)
        return ConsumerPosition(epoch, 0)

    def _advance(
        self,
        connection: Connection,
        claim: Claim,
        reached: ConsumerPosition,
        moved: ConsumerPosition,
    ) -> ConsumerPosition:
        self._leases.renew(connection, claim)
        return self.inbox.advance(connection, reached, moved)

    async def _record_refusal(self, claim: Claim, refusal: ErrorInfo) -> None:
        """Record that the feed refuses the consumer's position; log it once."""

        def write(connection: Connection) -> bool:
            self._leases.check(connection, claim)
            return record_refusal(connection, self.inbox, refusal)

        if await self._database.write(write):
            log_stop(self._log, refusal)

    async def _release(self, claim: Claim) -> None:
        try:
            await self.lease.release(claim)
        except _STORE_ERRORS as error:
            # The lease expires instead.
            self._log.warning("release_failed", error=str(error))

    async def _wait_after(self, error: Exception) -> None:
        log_interruption(self._log, error)
        await self._stream.nap(next(self._delays))

    def _restart_backoff(self) -> None:
        self._delays = jittered(BACKOFF_FIRST_S, BACKOFF_MAX_S, self._rng)


def _call_back(after_commit: Sequence[AfterCommit]) -> None:
    for call_back in after_commit:
        call_back()
