"""Loads orders from their streams in the event log, and appends events to them.

The stream is the only source of an order: the tables that list orders are built from streams and
can be rebuilt.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.chassis.log.event_log import EventLog, StoredEvent
from services.chassis.request import ownership
from services.chassis.store.unit.needs import Needs
from services.chassis.telemetry.correlation import EMPTY, Correlation
from services.order.domain.errors import OrderNotFoundError, VersionOutOfRangeError
from services.order.domain.events import Event
from services.order.domain.queries import AuditTrailQuery, OrderQuery
from services.order.domain.rules import evolve
from services.order.domain.state import Order
from services.order.wire.events import from_stored, to_new_event


@dataclass(frozen=True, slots=True)
class LoadedOrder:
    """An order at one version, with what the log knows about that version's event.

    `origin` is the correlation of the order's first event.
    """

    order: Order
    position: int = 0
    event_id: str = ""
    event_type: str = ""
    origin: Correlation = EMPTY

    @property
    def version(self) -> int:
        """The version of the order: the number of its events."""
        return self.order.version


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """Some consecutive events of an order, and the epoch of their positions."""

    epoch: str
    events: tuple[StoredEvent, ...]


class OrderStreams:
    """Reads and appends the streams of orders, inside the caller's transaction."""

    def __init__(self, *, log: EventLog) -> None:
        self._log = log

    def load(self, connection: Connection, order_id: str) -> LoadedOrder:
        """Return the newest version of an order. Raises OrderNotFoundError."""
        loaded = self.catch_up(connection, LoadedOrder(Order(order_id)))
        if loaded.order.version == 0:
            raise OrderNotFoundError(order_id)
        return loaded

    def load_own(self, connection: Connection, order_id: str) -> LoadedOrder:
        """Return the newest version of an order for a call.

        Raises OrderNotFoundError; to a customer also for somebody else's order.
        """
        loaded = self.load(connection, order_id)
        if ownership.is_hidden(loaded.order.customer_id):
            raise OrderNotFoundError(order_id)
        return loaded

    def load_each(
        self, connection: Connection, order_ids: Sequence[str]
    ) -> Mapping[str, LoadedOrder]:
        """Return the newest versions of those of the orders that exist, read by one statement."""
        streams = self._log.read_streams(connection, order_ids)
        return {
            order_id: deque(_fold(LoadedOrder(Order(order_id)), stored), maxlen=1).pop()
            for order_id, stored in streams.items()
        }

    def needs(self, order_id: str) -> Needs:
        """What a write on an order reads of its stream, except for events that it doesn't know."""
        return self._log.needs(order_id)

    def needs_whole(self, order_id: str) -> Needs:
        """What a write reads that loads an order and appends to its stream."""
        return (*self._log.needs(order_id), *self._log.needs_of_streams(order_id))

    def newest(self, connection: Connection, loaded: LoadedOrder) -> LoadedOrder:
        """Return in a write the newest version of an order that was loaded before."""
        if self._log.version(connection, loaded.order.order_id) == loaded.version:
            return loaded
        return self.catch_up(connection, loaded)

    def catch_up(self, connection: Connection, loaded: LoadedOrder) -> LoadedOrder:
        """Return the newest version of an order that was loaded before."""
        for newer in self.versions(connection, loaded):
            loaded = newer
        return loaded

    def versions(self, connection: Connection, after: LoadedOrder) -> Iterator[LoadedOrder]:
        """Yield every version after a known one, in order."""
        order = after.order
        stored = self._log.read_stream(connection, order.order_id, after_version=order.version)
        return _fold(after, stored)

    def own_versions(self, connection: Connection, after: LoadedOrder) -> tuple[LoadedOrder, ...]:
        """Return every version after a known one for a call.

        Raises OrderNotFoundError to a customer for somebody else's order.
        """
        versions = tuple(self.versions(connection, after))
        if versions and ownership.is_hidden(versions[0].order.customer_id):
            raise OrderNotFoundError(after.order.order_id)
        return versions

    def as_of(self, connection: Connection, order_id: str, position: int) -> LoadedOrder:
        """Return the order as of a position of the log."""
        stored = self._log.read_stream(connection, order_id)
        loaded = LoadedOrder(Order(order_id))
        for newer in _fold(loaded, [each for each in stored if each.position <= position]):
            loaded = newer
        return loaded

    def query(self, connection: Connection, query: OrderQuery) -> LoadedOrder:
        """Return the requested version. Raises OrderNotFoundError and VersionOutOfRangeError."""
        versions = self.own_versions(connection, LoadedOrder(Order(query.order_id)))
        if not versions:
            raise OrderNotFoundError(query.order_id)
        newest = len(versions)
        wanted = newest if query.as_of_version is None else query.as_of_version
        for version in (query.min_version or 0, wanted):
            if version > newest:
                raise VersionOutOfRangeError(query.order_id, version=version, newest=newest)
        if wanted < 1:
            raise VersionOutOfRangeError(query.order_id, version=wanted, newest=newest)
        return versions[wanted - 1]

    def audit_trail(self, connection: Connection, query: AuditTrailQuery) -> AuditTrail:
        """Return a page of the audit trail and the event after it. Raises OrderNotFoundError."""
        order_id = query.order_id
        stored = self._log.read_stream(
            connection,
            order_id,
            after_version=query.after_version,
            limit=query.page_size + 1,
        )
        if not stored and not self._log.read_stream(connection, order_id, limit=1):
            raise OrderNotFoundError(order_id)
        return AuditTrail(self._log.epoch(connection), stored)

    def append(
        self, connection: Connection, loaded: LoadedOrder, events: Sequence[Event]
    ) -> LoadedOrder:
        """Append events and return the order after them.

        Raises StreamConflictError when the order has other events after the loaded version.
        """
        order = loaded.order
        stored = self._log.append(
            connection,
            order.order_id,
            order.version,
            [to_new_event(event, order.order_id) for event in events],
        )
        for known, event in zip(stored, events, strict=True):
            loaded = _next(loaded, known, event)
        return loaded


def _fold(loaded: LoadedOrder, stored: Sequence[StoredEvent]) -> Iterator[LoadedOrder]:
    for each in stored:
        loaded = _next(loaded, each, from_stored(each))
        yield loaded


def _next(loaded: LoadedOrder, stored: StoredEvent, event: Event) -> LoadedOrder:
    origin = loaded.origin
    if loaded.order.version == 0:
        origin = Correlation(stored.correlation_id, stored.causation_id, stored.traceparent)
    return LoadedOrder(
        order=evolve(loaded.order, event, stored.occur_time),
        position=stored.position,
        event_id=stored.event_id,
        event_type=stored.type,
        origin=origin,
    )
