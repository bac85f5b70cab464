"""No list goes through a whole table: it is as fast among a million rows as among ten."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.consumer import dead_letter_table
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.inventory.domain.queries import (
    ItemFilter,
    MovementFilter,
    ReservationFilter,
    SkuFilter,
)
from services.inventory.domain.state import ReservationState
from services.inventory.store import item_rows, movement_rows, reservation_listing
from services.inventory.store import tables as inventory
from services.notification.domain.queries import NotificationFilter
from services.notification.domain.state import NotificationState
from services.notification.store import tables as notification
from services.notification.store.notification_listing import list_notifications
from services.order.domain.queries import OrderFilter, SagaFilter
from services.order.domain.state import OrderState
from services.order.store import order_view, saga_listing
from services.order.store import tables as order
from services.payment.domain.queries import LedgerFilter, PaymentFilter
from services.payment.domain.state import PaymentState
from services.payment.store import tables as payment
from services.payment.store.ledger_entries import list_entries
from services.payment.store.payment_listing import list_payments
from tests.support.store.databases import SQLITE, Databases, opened_database
from tests.support.store.query_plans import steps_of

LOG = EventLog(clock=SystemClock(), ids=IdFactory(clock=SystemClock(), rng=random.Random(1)))
AFTER = (1, "x")
OF_SKUS = ItemFilter(50, "a", skus=("b", "c"))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

List = Callable[[Connection], object]


def payments(order_id: str, *states: PaymentState) -> List:
    """ListPayments."""
    wanted = PaymentFilter(50, order_id, frozenset(states), AFTER)
    return lambda connection: list_payments(connection, wanted)


def ledger(payment_id: str) -> List:
    """ListLedgerEntries."""
    return lambda connection: list_entries(connection, LedgerFilter(50, payment_id, 7))


def notifications(order_id: str, customer_id: str, *states: NotificationState) -> List:
    """ListNotifications."""
    wanted = NotificationFilter(50, order_id, customer_id, states, AFTER)
    return lambda connection: list_notifications(connection, wanted)


def movements(sku: str, reservation_id: str) -> List:
    """ListStockMovements."""
    wanted = MovementFilter(50, sku, reservation_id, 7)
    return lambda connection: movement_rows.list_movements(connection, wanted)


def reservations(order_id: str, *states: ReservationState) -> List:
    """ListReservations."""
    wanted = ReservationFilter(50, states, order_id, AFTER)
    return lambda connection: reservation_listing.list_reservations(connection, wanted)


def orders(customer_id: str, *states: OrderState) -> List:
    """ListOrders."""
    wanted = OrderFilter(page_size=50, customer_id=customer_id, states=states, after=AFTER)
    return lambda connection: order_view.page(connection, LOG, wanted)


def sagas(connection: Connection) -> object:
    """ListSagas."""
    wanted = SagaFilter(50, NOON, OrderState.CAPTURING, needs_review=True, after=AFTER)
    return connection.execute(saga_listing._page(wanted)).all()


def dead_letters(consumer: str) -> List:
    """ListDeadLetters."""
    return lambda connection: dead_letter_table.page(
        connection, consumer=consumer, after_sequence=7, limit=50
    )


P, N, R = PaymentState, NotificationState, ReservationState
LISTS: dict[str, tuple[Path, List]] = {
    "payments": (payment.MIGRATIONS, payments("")),
    "payments of an order": (payment.MIGRATIONS, payments("ord_1")),
    "payments in states": (payment.MIGRATIONS, payments("", P.DECLINED, P.VOIDING)),
    "payments of an order in states": (payment.MIGRATIONS, payments("ord_1", P.VOIDED, P.EXPIRED)),
    "ledger entries": (payment.MIGRATIONS, ledger("")),
    "ledger entries of a payment": (payment.MIGRATIONS, ledger("pay_1")),
    "notifications": (notification.MIGRATIONS, notifications("", "")),
    "notifications of an order": (notification.MIGRATIONS, notifications("ord_1", "")),
    "notifications of a customer": (notification.MIGRATIONS, notifications("", "ann", *N)),
    "notifications in states": (notification.MIGRATIONS, notifications("", "", *N)),
    "items": (inventory.MIGRATIONS, lambda it: item_rows.list_items(it, ItemFilter(50, "a"))),
    "items of these": (inventory.MIGRATIONS, lambda it: item_rows.list_items(it, OF_SKUS)),
    "levels": (inventory.MIGRATIONS, lambda it: item_rows.list_levels(it, SkuFilter(50, "a"))),
    "movements": (inventory.MIGRATIONS, movements("", "")),
    "movements of an item": (inventory.MIGRATIONS, movements("a", "")),
    "movements of a reservation": (inventory.MIGRATIONS, movements("", "rsv_1")),
    "movements of both": (inventory.MIGRATIONS, movements("a", "rsv_1")),
    "reservations": (inventory.MIGRATIONS, reservations("", *R)),
    "reservations of an order": (inventory.MIGRATIONS, reservations("ord_1", *R)),
    "orders": (order.MIGRATIONS, orders("")),
    "orders of a customer": (order.MIGRATIONS, orders("ann", *OrderState)),
    "orders in states": (order.MIGRATIONS, orders("", OrderState.CAPTURING, OrderState.REJECTED)),
    "sagas": (order.MIGRATIONS, sagas),
    "dead letters": (CHASSIS_VERSIONS, dead_letters("")),
    "dead letters of a consumer": (CHASSIS_VERSIONS, dead_letters("summary")),
}


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
@pytest.mark.parametrize("name", LISTS)
async def test_no_list_goes_through_a_whole_table(databases: Databases, name: str) -> None:
    """A list begins at its page's key; with a filter, it finds its rows by an index for that."""
    versions, read = LISTS[name]
    async with opened_database(databases, versions) as database:
        steps = await database.read(steps_of, read)
    assert steps
    assert [step for step in steps if not step.startswith("SEARCH ")] == []
    if " of " in name or " in " in name:
        assert [step for step in steps if "=?" not in step] == []
