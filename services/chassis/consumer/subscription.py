"""Follows another service's feed and applies it: delivered at least once, applied exactly once.

The instances of one consumer share a lease; whoever holds it reads the feed through discovery and
applies batch after batch, each with its position in one transaction that also renews the lease. A
holder that slept through its lease finds that out before anything is written. What goes wrong
outside (feed away, store away) is tried again for ever; what is wrong with an event parks it.
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
from discovery.error_info import error_info
from discovery.rules.backoff import jittered
from services.chassis.consumer.errors import PositionMovedError, PositionNotReachedError
from services.chassis.consumer.feed_stream import FeedSilentError, FeedStream
from services.chassis.consumer.inbox import Attempt, ConsumerPosition, Handler, Inbox, describe
from services.chassis.feed.wire import DEFAULT_BATCH
from services.chassis.ids import IdFactory
from services.chassis.store.change import AfterCommit
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.telemetry import logs
from services.chassis.work.lease import Claim, Leases, StaleLeaseError

LEASE_KIND = "subscription"
# For subscriptions whose effects somebody waits for: a holder that died is replaced so soon.
WAITED_FOR_LEASE_S = 3.0
# How often an instance without the lease looks whether it is free.
POLL_S = 0.5
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 10.0
# A lease is renewed by every batch, and in silence after this share of its time.
_RENEW_SHARE = 1 / 3

_STORE_ERRORS = (StoreUnavailableError, StoreOverloadedError)


class Subscription:
    """Applies the feed behind `feed`, a channel, with `handler`, as the consumer `consumer`.

    A consumer's name is its identity: all instances use the same, and another name begins anew.
    Only events of `types` and of `topic` are delivered; all where there are none. The feed may
    `gather` events for so long, which makes fewer and larger transactions. Make it on the event
    loop that runs `run`.
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
        self._subject = f"{LEASE_KIND}/{consumer}"
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

        Cancelling stops it where it stands, as a crash would: the lease expires.
        """
        self._ended.clear()
        try:
            while not self._stopping.done():
                try:
                    claim = await self._claim()
                    if claim is None:
                        await self._stream.nap(self._poll_s * self._rng.uniform(0.8, 1.2))
                    else:
                        await self._hold(claim)
                except StaleLeaseError:
                    self._log.info("lease_lost")
                except Exception as error:  # noqa: BLE001 - whatever it is, the feed is followed on
                    await self._wait_after(error)
        finally:
            self._ended.set()

    async def drain(self) -> None:
        """Finish the batch at hand, give the lease back and end `run`."""
        if not self._stopping.done():
            self._stopping.set_result(None)
        await self._ended.wait()

    def rewind(self, connection: Connection, after_position: int) -> ConsumerPosition | None:
        """Put the consumer back, whichever instance runs it; answer where it stood.

        None, and nothing to put back, before the feed was first read. Part of the caller's write.
        Raises PositionNotReachedError.
        """
        stood = self.inbox.reached(connection)
        position = 0 if stood is None else stood.position
        if after_position > position:
            raise PositionNotReachedError(
                consumer=self.inbox.consumer, after_position=after_position, position=position
            )
        if stood is not None:
            self.inbox.move(connection, ConsumerPosition(stood.epoch, after_position))
            # The holder finds its lease stale before it writes anything; whoever looks first
            # takes it, and reads the feed from there.
            self._leases.open(connection, self._subject, LEASE_KIND, leased=False)
        return stood

    async def _claim(self) -> Claim | None:
        """The lease; None while another instance holds it. A look costs no commit."""
        if not await self._database.read(self._is_free):
            return None
        return await self._database.write(self._take)

    def _is_free(self, connection: Connection) -> bool:
        row = self._leases.get(connection, self._subject)
        return row is None or not row.owner or row.lease_expire_time <= self._clock.now()

    def _take(self, connection: Connection) -> Claim | None:
        if self._leases.get(connection, self._subject) is None:
            return self._leases.open(connection, self._subject, LEASE_KIND)
        return self._leases.claim(connection, self._subject)

    async def _hold(self, claim: Claim) -> None:
        """Follow the feed for as long as all goes well, then let another instance try."""
        try:
            await self._follow(claim)
        except grpc.aio.AioRpcError as error:
            reason = error_info(error)
            if reason is None or reason.reason != "EPOCH_CHANGED":
                raise
            if (await self._begin_epoch(claim)) is None:
                raise
        finally:
            # A cancelled task is a process that died: nothing is given back.
            if (task := asyncio.current_task()) is None or not task.cancelling():
                await self._release(claim)

    async def _follow(self, claim: Claim) -> None:
        reached = await self._database.read(self.inbox.reached) or await self._begin_epoch(claim)
        if reached is None:
            raise PositionMovedError(f"{self._subject} was begun by another instance")
        renewed_s = self._clock.monotonic()
        async with aclosing(self._stream.messages(reached)) as messages:
            async for message in messages:
                now_s = self._clock.monotonic()
                moved = await self._take_in(
                    claim, reached, message, due=now_s - renewed_s >= self._renew_s
                )
                if moved is not None:
                    reached, renewed_s = moved, now_s
                self._restart_backoff()

    async def _take_in(
        self,
        claim: Claim,
        reached: ConsumerPosition,
        message: pb.SubscribeEventsResponse,
        *,
        due: bool,
    ) -> ConsumerPosition | None:
        """Where the consumer stands now; None where nothing was written."""
        events = message.batch.events
        if events:
            return await self._apply(claim, reached, events)
        position = max(reached.position, message.heartbeat.position)
        if position == reached.position and not due:
            return None
        return await self._database.write(self._advance, claim, reached, position)

    async def _apply(
        self, claim: Claim, reached: ConsumerPosition, events: Sequence[Event]
    ) -> ConsumerPosition:
        """Apply a batch, setting aside one event after another that makes it fail.

        Raises StaleLeaseError, PositionMovedError, and the store's errors: read it again then.
        """
        poisoned: dict[int, str] = {}
        while True:
            attempt = Attempt()
            write = partial(self._write_batch, claim=claim, reached=reached, events=events)
            try:
                await self._database.write(
                    partial(write, poisoned=poisoned, attempt=attempt), then=_call_back
                )
                return ConsumerPosition(reached.epoch, events[-1].position)
            except _STORE_ERRORS:
                raise
            except Exception as error:
                if attempt.event is None:
                    raise
                poisoned[attempt.event.position] = describe(error)
                self._log.error(
                    "event_parked",
                    position=attempt.event.position,
                    aggregate=attempt.event.aggregate_id,
                    exc_info=error,
                )

    def _write_batch(
        self,
        connection: Connection,
        *,
        claim: Claim,
        reached: ConsumerPosition,
        events: Sequence[Event],
        poisoned: Mapping[int, str],
        attempt: Attempt,
    ) -> tuple[AfterCommit, ...]:
        self._leases.renew(connection, claim)
        return self.inbox.apply(connection, reached, events, poisoned=poisoned, attempt=attempt)

    async def _begin_epoch(self, claim: Claim) -> ConsumerPosition | None:
        """Stand at the beginning of what the feed now holds; None where its epoch is no other."""
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
        self, connection: Connection, claim: Claim, reached: ConsumerPosition, position: int
    ) -> ConsumerPosition:
        self._leases.renew(connection, claim)
        return self.inbox.advance(connection, reached, position)

    async def _release(self, claim: Claim) -> None:
        try:
            await self._database.write(self._leases.release, claim)
        except _STORE_ERRORS as error:
            # It expires.
            self._log.warning("release_failed", error=str(error))

    async def _wait_after(self, error: Exception) -> None:
        expected = (grpc.aio.AioRpcError, FeedSilentError, PositionMovedError, *_STORE_ERRORS)
        if not isinstance(error, expected):
            self._log.error("subscription_failed", exc_info=error)
        elif isinstance(error, grpc.aio.AioRpcError):
            reason = error_info(error)
            self._log.warning(
                "feed_unavailable",
                code=error.code().name,
                reason="" if reason is None else reason.reason,
                facts={} if reason is None else dict(reason.metadata),
            )
        else:
            self._log.warning("subscription_interrupted", error=describe(error))
        await self._stream.nap(next(self._delays))

    @property
    def _renew_s(self) -> float:
        return self._leases.lease_s * _RENEW_SHARE

    def _restart_backoff(self) -> None:
        self._delays = jittered(BACKOFF_FIRST_S, BACKOFF_MAX_S, self._rng)


def _call_back(after_commit: Sequence[AfterCommit]) -> None:
    for call_back in after_commit:
        call_back()
