"""Waiting for orders: callers until theirs is settled, watchers for every version.

Both follow the order's stream, whoever writes it: this process at once, another one within a poll.
While they wait they hold no place among the calls at work.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

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
from services.order.domain.state import SETTLED, Order
from services.order.store import order_view
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.order_view import OrderSnapshot
from services.order.wire.events import type_of
from services.order.wire.queries import WatchQuery

_SETTLING = frozenset(
    type_of(kind)
    for kind in (
        events.OrderConfirmed,
        events.OrderRejected,
        events.OrderCancelled,
        events.OrderFulfilled,
        events.OrderRefunded,
    )
)


class OrderWaiter:
    """Waits on behalf of callers; `on drain` everybody is answered at once."""

    def __init__(
        self,
        *,
        database: Database,
        tailer: Tailer,
        notices: LatestStates[LoadedOrder],
        store: OrderStreams,
        clock: Clock,
    ) -> None:
        self._database = database
        self._tailer = tailer
        self._notices = notices
        self._store = store
        self._clock = clock

    @contextmanager
    def follow(self, order_id: str) -> Iterator[Follower]:
        """Register for what settles an order, before it is read or written."""
        with (
            self._notices.awaiting(order_id),
            self._tailer.follow(order_id, types=_SETTLING) as follower,
        ):
            yield follower

    async def join(self, order_id: str, patience_s: float) -> OrderSnapshot:
        """Wait until an order is settled, or out of patience, and answer it as it stands."""
        with self.follow(order_id) as follower:
            snapshot = await self._database.read(order_view.get, order_id)
            if int(snapshot.order.state) in SETTLED:
                return snapshot
            return await self.settled(follower, snapshot.order.version, patience_s)

    async def settled(self, follower: Follower, version: int, patience_s: float) -> OrderSnapshot:
        """The same for an order that was not settled at `version` and is followed since."""
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
            # Confirmed and sent back in one write: there is more to wait for.
            version = snapshot.order.version

    async def _snapshot(self, order_id: str, version: int | None) -> OrderSnapshot:
        """The order at `version` or later; as it is stored, unless this process wrote it itself."""
        known = None if version is None else self._notices.newest(order_id, version=version)
        if known is not None:
            return order_view.snapshot_of(known)
        return await self._database.read(order_view.get, order_id)

    async def reach(self, position: int, patience_s: float) -> None:
        """Wait until the list has reached a position of the feed. Raises ViewLaggingError."""
        if position <= self._tailer.position:
            return
        with slot_released():
            reached = await self._tailer.wait_position(position, patience_s)
        if not reached:
            raise ViewLaggingError(position=self._tailer.position, min_position=position)

    async def watch(self, watched: WatchQuery) -> AsyncGenerator[LoadedOrder, None]:
        """Every version after the known one, once and in order, until there is an end.

        Raises OrderNotFoundError, VersionOutOfRangeError, and DrainingError with where to resume.
        """
        loaded = LoadedOrder(Order(watched.order_id))
        with self._tailer.follow(watched.order_id) as follower:
            while True:
                versions = await self._database.read(self._newer, loaded)
                for loaded in versions:
                    if loaded.order.version > watched.after_version:
                        yield loaded
                _check_known(watched, loaded)
                order = loaded.order
                if order.is_final or (order.is_settled and not watched.until_final):
                    return
                with slot_released():
                    change = await follower.wait(after_version=order.version)
                if change is None:
                    raise DrainingError(order_id=order.order_id, after_version=str(order.version))

    def _newer(self, connection: Connection, loaded: LoadedOrder) -> tuple[LoadedOrder, ...]:
        return tuple(self._store.versions(connection, loaded))


def _check_known(watched: WatchQuery, newest: LoadedOrder) -> None:
    version = newest.order.version
    if version == 0:
        raise OrderNotFoundError(watched.order_id)
    if version < watched.after_version:
        raise VersionOutOfRangeError(
            watched.order_id, version=watched.after_version, newest=version
        )
