"""Waits for orders: for callers until their order is settled, for watchers at every version.

Both follow the order's stream. They see the writes of this process at once, and those of other
processes within one poll. A call that waits does not count as running for admission control.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from discovery.clock import Clock
from services.chassis.log.tailer import Follower, Tailer
from services.chassis.request.errors import DrainingError
from services.chassis.request.slot import slot_released
from services.chassis.store.database import Database
from services.chassis.work.latest_states import LatestStates
from services.order.domain import events
from services.order.domain.errors import (
    OrderNotFoundError,
    VersionOutOfRangeError,
    ViewLaggingError,
)
from services.order.domain.queries import WatchQuery
from services.order.domain.state import SETTLED, Order
from services.order.store import order_view
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.order_view import OrderSnapshot
from services.order.wire.events import type_of

_SETTLING = frozenset(
    type_of(kind)
    for kind in (
        events.OrderConfirmed,
        events.OrderRejected,
        events.OrderCancelled,
        events.OrderFulfilled,
        events.OrderRefunded,
        events.ReturnCompleted,
        events.OrderReturned,
    )
)


class OrderWaiter:
    """Waits on behalf of callers; when the process drains, every wait ends at once."""

    def __init__(
        self,
        *,
        database: Database,
        tailer: Tailer,
        latest: LatestStates[LoadedOrder],
        streams: OrderStreams,
        clock: Clock,
    ) -> None:
        self._database = database
        self._tailer = tailer
        self._latest = latest
        self._streams = streams
        self._clock = clock

    @contextmanager
    def follow(self, order_id: str) -> Iterator[Follower]:
        """Follow the events that settle an order; enter this before reading or writing it."""
        with (
            self._latest.awaiting(order_id),
            self._tailer.follow(order_id, types=_SETTLING) as follower,
        ):
            yield follower

    async def join(self, order_id: str, patience_s: float) -> OrderSnapshot:
        """Wait up to `patience_s` seconds until an order is settled; return its current state."""
        with self.follow(order_id) as follower:
            snapshot = await self._database.read(order_view.get, order_id, snapshot=False)
            if int(snapshot.order.state) in SETTLED:
                return snapshot
            return await self.settled(follower, snapshot.order.version, patience_s)

    async def settled(self, follower: Follower, version: int, patience_s: float) -> OrderSnapshot:
        """Do the same for an order that was not settled at `version` and is already followed."""
        until_s = self._clock.monotonic() + patience_s
        while True:
            with slot_released():
                left_s = max(0.0, until_s - self._clock.monotonic())
                change = await follower.wait(after_version=version, timeout_s=left_s)
            snapshot = await self._snapshot(
                follower.stream, None if change is None else change.version
            )
            if change is None or int(snapshot.order.state) in SETTLED:
                return snapshot
            # One write has confirmed the order and started its refund: wait for the refund.
            version = snapshot.order.version

    async def _snapshot(self, order_id: str, version: int | None) -> OrderSnapshot:
        """Return the order at `version` or later, from this process's writes or from the store."""
        known = None if version is None else self._latest.newest(order_id, version=version)
        if known is not None:
            return order_view.snapshot_of(known)
        return await self._database.read(order_view.get, order_id, snapshot=False)

    async def reach(self, position: int, patience_s: float) -> None:
        """Wait until the list has reached a position of the feed. Raises ViewLaggingError."""
        if position <= self._tailer.position:
            return
        with slot_released():
            reached = await self._tailer.wait_position(position, patience_s)
        if not reached:
            raise ViewLaggingError(position=self._tailer.position, min_position=position)

    async def watch(self, query: WatchQuery) -> AsyncGenerator[LoadedOrder, None]:
        """Yield every version after the known one, once and in order, until the query's end.

        Raises OrderNotFoundError, VersionOutOfRangeError, and DrainingError with the version after
        which to resume.
        """
        loaded = LoadedOrder(Order(query.order_id))
        with self._tailer.follow(query.order_id) as follower:
            while True:
                versions = await self._database.read(
                    self._streams.own_versions, loaded, snapshot=False
                )
                for loaded in versions:
                    if loaded.order.version > query.after_version:
                        yield loaded
                _check_known(query, loaded)
                order = loaded.order
                if order.is_final or (order.is_settled and not query.until_final):
                    return
                with slot_released():
                    change = await follower.wait(after_version=order.version)
                if change is None:
                    raise DrainingError(order_id=order.order_id, after_version=str(order.version))


def _check_known(query: WatchQuery, newest: LoadedOrder) -> None:
    version = newest.order.version
    if version == 0:
        raise OrderNotFoundError(query.order_id)
    if version < query.after_version:
        raise VersionOutOfRangeError(query.order_id, version=query.after_version, newest=version)
