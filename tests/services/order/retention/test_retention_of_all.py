"""The retention of all four services: each archives what belongs to an order that is archived."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, func, select
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.item_pb2 import StockMovementKind
from tradepost.notification.v1 import notification_service_pb2 as notification_rpc
from tradepost.order.v1 import order_pb2 as pb
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.ledger_pb2 import LedgerAccount, LedgerEntry, LedgerSide

from discovery.clock import SystemClock
from services.chassis.consumer.inbox import SUBSCRIPTION
from services.chassis.log.event_table import EVENT, EVENT_COUNTER
from services.chassis.request.request_ids import REQUEST
from services.chassis.retention.archive_reader import read_archive
from services.chassis.store.database import Database
from services.console.books.books_reader import CLOCKS_DIFFER, BooksReader
from services.console.books.stock_books import HOLD
from services.console.reading.asker import Asker
from services.console.reading.stubs import Stubs
from services.inventory.store.tables import RESERVATION, RESERVATION_LINE, STOCK_MOVEMENT
from services.notification.domain.state import NotificationState
from services.notification.store.tables import NOTIFICATION, ORDER_DETAILS
from services.order.store.tables import ORDER_VIEW
from services.payment.processor.simulated.adapter import open_simulated_processor
from services.payment.store.tables import LEDGER_ENTRY, PAYMENT
from tests.support.clock.shifted_clock import ShiftedClock
from tests.support.limits import WAIT_S
from tests.support.order.order_service import cancel_of, fulfill_of, order_of, return_of
from tests.support.order.three_real_services import (
    UNITS,
    Archiving,
    ThreeServices,
    three_real_services,
)
from tests.support.store.databases import Databases

CLOCK = SystemClock()
KEEP = timedelta(days=30)
MONTHLY = 12
GROWING = {
    "order": (EVENT, REQUEST, ORDER_VIEW),
    "payment": (EVENT, REQUEST, PAYMENT, LEDGER_ENTRY),
    "inventory": (EVENT, REQUEST, RESERVATION, RESERVATION_LINE, STOCK_MOVEMENT),
    "notification": (NOTIFICATION, ORDER_DETAILS),
}


@dataclass
class Suite:
    """Four services with a retention, whose clock is put forward, and their databases."""

    services: ThreeServices
    clock: ShiftedClock
    archive: Path
    databases: dict[str, Database]

    async def sell(self, number: int) -> None:
        """Bring orders to every final state."""
        placed = await self.services.place_all(
            order_of(
                sku="tea" if each % 2 else "milk",
                method="pm_insufficient_funds" if each % 6 == 0 else "pm_visa",
            )
            for each in range(number)
        )
        await asyncio.gather(*(self._end(each, order) for each, order in enumerate(placed)))

    async def _end(self, number: int, order: pb.Order) -> None:
        if order.state != pb.ORDER_STATE_CONFIRMED:
            return
        orders = self.services.orders
        if number % 6 == 1:
            await orders.CancelOrder(cancel_of(order.order_id))
            return
        await orders.FulfillOrder(fulfill_of(order.order_id))
        if number % 6 == 2:
            await orders.ReturnOrder(return_of(order.order_id))

    def books(self) -> BooksReader:
        """The books of a console that has just started."""
        return BooksReader(Stubs.over(self.services.channels), clock=self.clock)

    async def look(self, reader: BooksReader) -> None:
        """Look at the books as an operator, until they are read to their end."""
        await reader.look(Asker((), frozenset({"OPERATOR"}), WAIT_S), for_s=WAIT_S)

    async def rows(self) -> dict[str, int]:
        """How many rows each table has that grows with orders."""
        counts: dict[str, int] = {}
        for name, tables in GROWING.items():
            found = await self.databases[name].read(_counts, tables)
            counts |= {f"{name}.{table}": number for table, number in found.items()}
        return counts

    async def wait_for_mails(self) -> None:
        """Wait until notification has followed all orders, and sent its mails."""
        while True:
            head = await self.databases["order"].read(_head)
            if await self.databases["notification"].read(_has_sent_all, head):
                return
            await CLOCK.sleep(0.25)

    async def wait_for_archive(self, left: int) -> dict[str, int]:
        """Wait until so many orders are left everywhere."""
        while True:
            rows = await self.rows()
            orders = (rows["order.order_view"], rows["inventory.reservation"])
            # One payment stands for all archived ones.
            others = (rows["payment.payment"] - 1, rows["notification.brief"])
            if {*orders, *others} == {left}:
                return rows
            await CLOCK.sleep(0.25)

    async def ledger(self) -> list[LedgerEntry]:
        """All entries of the ledger."""
        request = payment_rpc.ListLedgerEntriesRequest(page_size=1_000)
        return list((await self.services.payments.ListLedgerEntries(request)).entries)


def _head(connection: Connection) -> int:
    return connection.execute(select(EVENT_COUNTER.c.position)).scalar_one()


def _has_sent_all(connection: Connection, head: int) -> bool:
    pending = select(NOTIFICATION).where(NOTIFICATION.c.state == NotificationState.PENDING)
    position = connection.execute(select(SUBSCRIPTION.c.position)).scalar_one_or_none()
    return position == head and connection.execute(pending).first() is None


def _counts(connection: Connection, tables: tuple[Table, ...]) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in tables
    }


@pytest.fixture
async def suite(databases: Databases, tmp_path: Path) -> AsyncIterator[Suite]:
    """The suite with an empty archive."""
    clock, processor_url = ShiftedClock(), f"sqlite:///{tmp_path}/processor.db"
    archive = tmp_path / "archive"
    archive.mkdir()
    async with AsyncExitStack() as stack:
        processor = await stack.enter_async_context(
            open_simulated_processor(processor_url, clock=clock, owner="test")
        )
        services = await stack.enter_async_context(
            three_real_services(databases, processor, Archiving(clock, KEEP, archive))
        )
        opened = {}
        for name in GROWING:
            opened[name] = await Database.open(databases.url(name), clock=CLOCK, owner="operator")
            stack.push_async_callback(opened[name].close)
        yield Suite(services, clock, archive, opened)


async def test_a_soak_of_all_services_stays_flat(suite: Suite) -> None:
    """Each month leaves the same rows; ledger and stock add up, and the open order goes on."""
    async with asyncio.timeout(WAIT_S):
        stays = await suite.services.create(sku="tea", quantity=1)
        left = []
        for month in range(1, 4):
            await suite.sell(MONTHLY)
            await suite.wait_for_mails()
            suite.clock.ahead = month * 2 * KEEP
            left.append(await suite.wait_for_archive(1))
        await _expect_sums(suite, stays)
        fulfilled = await suite.services.orders.FulfillOrder(fulfill_of(stays.order_id))
        returned = await suite.services.orders.ReturnOrder(return_of(stays.order_id))

    assert left[1:] == left[:-1]
    assert fulfilled.order.state == pb.ORDER_STATE_FULFILLED
    assert returned.order.state == pb.ORDER_STATE_RETURNED
    archived = {name: len(list(read_archive(suite.archive, name))) for name in GROWING}
    assert archived == dict.fromkeys(GROWING, 3 * MONTHLY)


async def test_the_consoles_books_hold_whenever_they_are_begun(suite: Suite) -> None:
    """Those that were begun before a removal know all orders, later ones only what came since."""
    async with asyncio.timeout(WAIT_S):
        early, late = suite.books(), suite.books()
        await suite.sell(MONTHLY)
        await suite.wait_for_mails()
        await suite.look(early)
        suite.clock.ahead = 2 * KEEP
        await suite.wait_for_archive(0)
        await suite.sell(1)
        suite.clock.ahead += 2 * CLOCKS_DIFFER
        await suite.sell(MONTHLY)
        await suite.wait_for_mails()
        for reader in (early, late):
            await suite.look(reader)

    for reader, orders in ((early, 2 * MONTHLY + 1), (late, MONTHLY)):
        assert {each.fault for each in reader.progress()} == {""}
        assert sum(reader.books.orders.by_state.values()) == orders
        after = suite.clock.now() + 2 * HOLD
        wrong = [each.name for each in reader.books.balances if not each.state(after).holds]
        wrong += [each.name for each in reader.books.findings() if not each.state.holds]
        assert (wrong, reader.books.captured.left > 0) == ([], True)
        assert all(reader.books.stock.levels.values())
    assert early.books.since is None
    assert late.books.since is not None


async def _expect_sums(suite: Suite, stays: pb.Order) -> None:
    entries = await suite.ledger()
    sides: Counter[int] = Counter()
    clearing: Counter[int] = Counter()
    for entry in entries:
        sides[entry.side] += entry.amount.minor_units
        if entry.account == LedgerAccount.LEDGER_ACCOUNT_PROCESSOR_CLEARING:
            clearing[entry.side] += entry.amount.minor_units
    orders = [
        pb.Order.FromString(each.rows["order_view"][0]["message"])
        for each in read_archive(suite.archive, "order")
    ]
    paid = [each for each in orders if each.state != pb.ORDER_STATE_REJECTED]
    captured = sum(each.total.minor_units for each in paid) + stays.total.minor_units
    assert sides[LedgerSide.LEDGER_SIDE_DEBIT] == sides[LedgerSide.LEDGER_SIDE_CREDIT] > 0
    assert clearing[LedgerSide.LEDGER_SIDE_DEBIT] == captured
    refunded = sum(each.refunded_amount.minor_units for each in orders)
    assert clearing[LedgerSide.LEDGER_SIDE_CREDIT] == refunded > 0

    request = inventory_rpc.ListStockMovementsRequest(page_size=1_000)
    movements = (await suite.services.inventory.ListStockMovements(request)).movements
    moved: Counter[str] = Counter()
    for movement in movements:
        moved[movement.sku] += movement.on_hand_delta
    stock = (await suite.services.inventory.ListStock(inventory_rpc.ListStockRequest())).stock
    assert moved == {level.sku: level.on_hand_count for level in stock}
    kind = StockMovementKind.STOCK_MOVEMENT_KIND_FULFILLED
    gone = -sum(each.on_hand_delta for each in movements if each.kind == kind)
    assert 0 < gone < 2 * UNITS

    assert suite.services.notifications is not None
    listed = await suite.services.notifications.ListNotifications(
        notification_rpc.ListNotificationsRequest()
    )
    assert {each.order_id for each in listed.notifications} == {stays.order_id}
