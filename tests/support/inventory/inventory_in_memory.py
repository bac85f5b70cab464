"""The use cases of inventory on a migrated database, with a clock that the test moves.

inventory = InventoryInMemory()
inventory.stocks("apple", 5)
inventory.reserves("1", apple=2)
"""

import random
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import item_pb2, reservation_pb2
from tradepost.type.v1.money_pb2 import Money

from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.saga.model import step_id
from services.chassis.store.dialect import Dialect
from services.chassis.store.schema.upgrade import upgrade
from services.chassis.store.sqlite import SqliteDialect
from services.chassis.store.unit.unit import unit_of_work
from services.chassis.store.urls import dialect_of
from services.inventory.api.item_writes import ItemWrites
from services.inventory.api.reservation_writes import ReservationWrites
from services.inventory.store import item_rows, movement_rows, reservation_listing
from services.inventory.store.tables import MIGRATIONS
from services.inventory.wire import queries, requests
from services.inventory.wire.replies import to_reservation, to_stock

OPENING = datetime(2026, 1, 1, 9, tzinfo=UTC)
TTL_S = 120

P = ParamSpec("P")
T = TypeVar("T")


class SteppedClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self._now = OPENING

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - OPENING).total_seconds()

    async def sleep(self, delay_s: float) -> None:
        self.passes(delay_s)

    def passes(self, delay_s: float) -> None:
        """Advance the clock."""
        self._now += timedelta(seconds=delay_s)


class InventoryInMemory:
    """The use cases of inventory; every request gets a new request_id.

    The database is the migrated one at `url`, or a new SQLite database in memory.
    """

    def __init__(self, url: str | None = None) -> None:
        self.clock = SteppedClock()
        rng = random.Random(1)
        self.log = EventLog(clock=self.clock, ids=IdFactory(clock=self.clock, rng=rng))
        self.items = ItemWrites(log=self.log, clock=self.clock)
        self.reservations = ReservationWrites(log=self.log, clock=self.clock)
        self._dialect: Dialect = SqliteDialect(Path("memory")) if url is None else dialect_of(url)
        self.connection = _migrated_copy() if url is None else self._dialect.open_writer()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()
        self.connection.engine.dispose()

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """One transaction, rolled back if the function raises."""
        with self._transaction():
            return function(self.connection, *args, **kwargs)

    def stocks(
        self, sku: str, units: int, *, price_minor: int = 100, currency: str = "USD"
    ) -> item_pb2.Item:
        """Make an item, or change its price."""
        request = rpc.UpsertItemsRequest(
            request_id=new_request_id(),
            items=[upsert(sku, units, price_minor=price_minor, currency=currency)],
        )
        answer = self.write(self.items.upsert, requests.upsert_items(request))
        return answer.response.items[0]

    def adjusts(self, sku: str, delta: int) -> item_pb2.StockLevel:
        """Adjust the units on hand."""
        request = rpc.AdjustStockRequest(
            request_id=new_request_id(), sku=sku, delta=delta, reason="counted"
        )
        return self.write(self.items.adjust, requests.adjust_stock(request)).response.stock

    def reserves(self, order: str, **units: int) -> reservation_pb2.Reservation:
        """Reserve `units` of each SKU for the order."""
        return self.sends(reserve(order, **units))

    def sends(self, request: rpc.ReserveStockRequest) -> reservation_pb2.Reservation:
        """Reserve as the request says."""
        answer = self.write(self.reservations.reserve, requests.reserve_stock(request))
        return answer.response.reservation

    def commits(self, order: str) -> reservation_pb2.Reservation:
        """Commit the order's reservation."""
        request = rpc.CommitReservationRequest(
            request_id=new_request_id(), reservation_id=rsv(order)
        )
        answer = self.write(self.reservations.commit, requests.commit_reservation(request))
        return answer.response.reservation

    def releases(self, order: str) -> reservation_pb2.Reservation:
        """Release the order's reservation, as the order does."""
        request = rpc.ReleaseReservationRequest(
            request_id=step_id(ord_(order), "release", 1),
            reservation_id=rsv(order),
            order_id=ord_(order),
            reason="changed their mind",
        )
        answer = self.write(self.reservations.release, requests.release_reservation(request))
        return answer.response.reservation

    def fulfills(self, order: str) -> reservation_pb2.Reservation:
        """Fulfil the order's reservation."""
        request = rpc.FulfillReservationRequest(
            request_id=new_request_id(), reservation_id=rsv(order)
        )
        answer = self.write(self.reservations.fulfill, requests.fulfill_reservation(request))
        return answer.response.reservation

    def returns(self, order: str, **units: int) -> reservation_pb2.Reservation:
        """Take back units of the order that had left."""
        request = rpc.ReturnStockRequest(
            request_id=new_request_id(),
            reservation_id=rsv(order),
            lines=[rpc.ReturnLine(sku=sku, quantity=count) for sku, count in units.items()],
            reason="broken",
        )
        answer = self.write(self.reservations.take_back, requests.return_stock(request))
        return answer.response.reservation

    def expire_overdue(self, limit: int = 100) -> int:
        """Expire overdue holds; returns their number."""
        return self.write(self.reservations.expire, limit)

    def level(self, sku: str) -> item_pb2.StockLevel:
        """The stock level of an item."""
        return to_stock(item_rows.get_level(self.connection, sku))

    def counts(self, sku: str) -> tuple[int, int, int]:
        """The units on hand, held and committed."""
        level = self.level(sku)
        return level.on_hand_count, level.held_count, level.committed_count

    def reservation(self, order: str) -> reservation_pb2.Reservation:
        """The order's reservation."""
        return to_reservation(reservation_listing.get_reservation(self.connection, rsv(order)))

    def movements(self, **filters: str) -> list[tuple[str, str, int, int, int]]:
        """The movements: SKU, kind and the three deltas."""
        wanted = queries.list_movements(rpc.ListStockMovementsRequest(page_size=1000, **filters))
        return [
            (
                row.movement.sku,
                row.movement.kind.value,
                row.movement.on_hand_delta,
                row.movement.held_delta,
                row.movement.committed_delta,
            )
            for row in movement_rows.list_movements(self.connection, wanted)
        ]

    def event_types(self) -> list[str]:
        """The short names of all events, in order."""
        events = self.log.read_from(self.connection, 0, 10_000)
        return [event.type.rpartition(".")[2] for event in events]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._dialect.begin(self.connection)
        try:
            with unit_of_work(self.connection, self._dialect) as unit:
                yield
                unit.flush()
        except BaseException:
            self._dialect.rollback(self.connection)
            raise
        self._dialect.commit(self.connection)


def new_request_id() -> str:
    """A new request_id."""
    return str(uuid.UUID(int=next(_REQUEST_NUMBERS)))


def ord_(order: str) -> str:
    """The id of the order that a test calls "1"."""
    return f"ord_{int(order):032x}"


def rsv(order: str) -> str:
    """The id of that order's reservation."""
    return f"rsv_{int(order):032x}"


def upsert(
    sku: str, units: int = 0, *, price_minor: int = 100, currency: str = "USD", name: str = ""
) -> rpc.ItemUpsert:
    """An upsert of one item."""
    return rpc.ItemUpsert(
        sku=sku,
        name=name or f"a fine {sku}",
        unit_price=Money(currency_code=currency, minor_units=price_minor),
        initial_on_hand_count=units,
    )


def reserve(order: str, **units: int) -> rpc.ReserveStockRequest:
    """A request for `units` of each SKU."""
    request = rpc.ReserveStockRequest(
        request_id=new_request_id(),
        reservation_id=rsv(order),
        order_id=ord_(order),
        lines=[rpc.ReserveLine(sku=sku, quantity=quantity) for sku, quantity in units.items()],
    )
    request.ttl.seconds = TTL_S
    return request


def _counting() -> Iterator[int]:
    number = 1
    while True:
        yield number
        number += 1


_REQUEST_NUMBERS = _counting()


@cache
def _template() -> sqlite3.Connection:
    connection = _connect()
    upgrade(connection, MIGRATIONS)
    return _driver(connection)


def _migrated_copy() -> Connection:
    connection = _connect()
    _template().backup(_driver(connection))
    return connection


def _connect() -> Connection:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"isolation_level": None}
    )
    connection = engine.connect()
    connection.begin()
    _driver(connection).execute("PRAGMA foreign_keys=ON")
    return connection


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, cast(Any, connection.connection).dbapi_connection)
