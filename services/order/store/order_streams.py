"""Orders in the event log: read as streams, appended to as facts.

The stream is the order; everything else is made of it and can be rebuilt from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.chassis.log.event_log import EventLog, StoredEvent
from services.chassis.telemetry.correlation import EMPTY, Correlation
from services.order.domain.errors import OrderNotFoundError, VersionOutOfRangeError
from services.order.domain.events import Event
from services.order.domain.rules import evolve
from services.order.domain.state import Order
from services.order.wire.events import from_stored, to_new


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as it stands at one version, and what the log knows beside it.

    `position`, `event_id` and `event_type` are those of that version's event; `origin` is whose
    story the order is.
    """

    order: Order
    position: int = 0
    event_id: str = ""
    event_type: str = ""
    origin: Correlation = EMPTY

    @property
    def version(self) -> int:
        """The order's version: how many events it has."""
        return self.order.version


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which version of an order to read; the newest where neither is set."""

    order_id: str
    min_version: int | None = None
    as_of_version: int | None = None


@dataclass(frozen=True, slots=True)
class TrailQuery:
    """At most `limit` events of an order after a version."""

    order_id: str
    after_version: int
    limit: int


@dataclass(frozen=True, slots=True)
class Trail:
    """A piece of an order's audit trail: its events and the epoch of their positions."""

    epoch: str
    events: tuple[StoredEvent, ...]


class OrderStore:
    """Reads and appends streams of orders, inside the caller's transaction."""

    def __init__(self, *, log: EventLog) -> None:
        self._log = log

    def load(self, connection: Connection, order_id: str) -> Standing:
        """The order as it stands. Raises OrderNotFoundError."""
        standing = self.catch_up(connection, Standing(Order(order_id)))
        if standing.order.version == 0:
            raise OrderNotFoundError(order_id)
        return standing

    def catch_up(self, connection: Connection, standing: Standing) -> Standing:
        """The order as it stands by now."""
        for newer in self.versions(connection, standing):
            standing = newer
        return standing

    def versions(self, connection: Connection, after: Standing) -> Iterator[Standing]:
        """Every version after a known one, in order."""
        order = after.order
        stored = self._log.read_stream(connection, order.order_id, after_version=order.version)
        return _fold(after, stored)

    def as_of(self, connection: Connection, order_id: str, position: int) -> Standing:
        """The order as it stood when the log had come to `position`."""
        stored = self._log.read_stream(connection, order_id)
        standing = Standing(Order(order_id))
        for newer in _fold(standing, [each for each in stored if each.position <= position]):
            standing = newer
        return standing

    def query(self, connection: Connection, query: OrderQuery) -> Standing:
        """The version asked for. Raises OrderNotFoundError and VersionOutOfRangeError."""
        versions = tuple(self.versions(connection, Standing(Order(query.order_id))))
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

    def trail(self, connection: Connection, query: TrailQuery) -> Trail:
        """A piece of the audit trail. Raises OrderNotFoundError."""
        order_id = query.order_id
        stored = self._log.read_stream(
            connection, order_id, after_version=query.after_version, limit=query.limit
        )
        if not stored and not self._log.read_stream(connection, order_id, limit=1):
            raise OrderNotFoundError(order_id)
        return Trail(self._log.epoch(connection), stored)

    def append(
        self, connection: Connection, standing: Standing, events: Sequence[Event]
    ) -> Standing:
        """Record what was decided. Raises StreamConflictError when the order has moved."""
        order = standing.order
        stored = self._log.append(
            connection, order.order_id, order.version, [to_new(event) for event in events]
        )
        for known, event in zip(stored, events, strict=True):
            standing = _next(standing, known, event)
        return standing


def _fold(standing: Standing, stored: Sequence[StoredEvent]) -> Iterator[Standing]:
    for each in stored:
        standing = _next(standing, each, from_stored(each))
        yield standing


def _next(standing: Standing, stored: StoredEvent, event: Event) -> Standing:
    origin = standing.origin
    if standing.order.version == 0:
        origin = Correlation(stored.correlation_id, stored.causation_id, stored.traceparent)
    return Standing(
        order=evolve(standing.order, event, stored.occur_time),
        position=stored.position,
        event_id=stored.event_id,
        event_type=stored.type,
        origin=origin,
    )
