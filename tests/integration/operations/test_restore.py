"""A service is put back to an earlier state under a running suite, by the commands of the page."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from tradepost.inventory.v1.inventory_service_pb2 import ListReservationsRequest
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest
from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.order.v1.order_service_pb2 import CancelOrderRequest, GetOrderRequest

from services.console.books.books_reader import BooksReader
from services.console.reading.asker import Asker
from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite, settled
from tests.support.suite.operator_pages import addresses, commands, shell
from tests.support.suite.restored_service import (
    PAGE,
    UNBALANCED,
    back_up,
    books,
    cancel,
    caught_up,
    named,
    restore,
    variables_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINUTE = timedelta(seconds=61)
# What names a lost order, and what is left of it in the books when it has been settled.
RESERVED = "committed reservations without such an order, or the reverse"
TWICE = "mails without such a notification, or the reverse"
LOST = {
    "orders whose capture is not their total",
    RESERVED,
    "notifications without such an order, or the reverse",
}

LEFT = {
    "orders whose capture is not their total",
    "orders that show another refund",
    "notifications without such an order, or the reverse",
}


async def lost_and_restored(
    suite: BreakableSuite, service: str, folder: Path, *, seed: int
) -> Order:
    """Place an order between the backup of a service and the restore; return it."""
    variables = await variables_of(suite, service, str(folder))
    await back_up(variables)
    lost = await suite.buy(await suite.a_request(seed))
    mails = ListNotificationsRequest(order_id=lost.order_id)
    async with asyncio.timeout(WAIT_S):
        while not (await suite.stubs.notifications.ListNotifications(mails)).notifications:
            await CLOCK.sleep(POLL_S)
    await restore(suite, service, variables)
    await caught_up(suite, service)
    return lost


async def wrong_about(suite: BreakableSuite, order: Order) -> set[str]:
    """The equations whose check, as on the page, names the order."""
    checked = await books(await addresses(suite.cluster))
    return {name for name, ids in named(checked).items() if order.order_id in ids}


async def test_what_a_restored_inventory_forgot_is_named_and_ends_with_its_order(
    suite: BreakableSuite, tmp_path: Path
) -> None:
    """The order is cancelled: its money goes back, and its units are no longer committed."""
    lost = await lost_and_restored(suite, "inventory", tmp_path, seed=31)

    assert await wrong_about(suite, lost) == {RESERVED}
    assert (await cancel(suite, lost, 81)).state == OrderState.ORDER_STATE_REFUNDED
    assert await wrong_about(suite, lost) == set()


async def test_what_a_restored_order_service_forgot_is_named_and_can_be_settled(
    suite: BreakableSuite, tmp_path: Path
) -> None:
    """Consumers go on by themselves, nothing is skipped, and the books name what was lost."""
    variables = await variables_of(suite, "order", str(tmp_path))
    kept = await suite.buy(await suite.a_request(1))
    returned = await suite.buy(await suite.a_request(2))
    reader = BooksReader(suite.stubs, clock=CLOCK)
    asker = Asker((), frozenset({"OPERATOR"}), WAIT_S)
    await back_up(variables)
    assert (await cancel(suite, returned, 77)).state == OrderState.ORDER_STATE_REFUNDED
    lost = await suite.buy(await suite.a_request(3))
    assert await suite.wrong_books() == []
    await reader.look(asker, for_s=WAIT_S)

    await restore(suite, "order", variables)
    await caught_up(suite, "order")

    assert (await settled(suite.stubs.orders, kept.order_id)).state == kept.state
    again = await suite.buy(await suite.a_request(4))
    checked = await books(variables)
    assert checked.code == UNBALANCED, checked.out
    wrong = named(checked)
    assert {name for name, ids in wrong.items() if lost.order_id in ids} == LOST
    of_orders = {each for ids in wrong.values() for each in ids if each.startswith("ord_")}
    assert of_orders == {lost.order_id, returned.order_id}
    await reader.look(asker, for_s=WAIT_S)
    late = reader.books.captured.state(CLOCK.now() + MINUTE)
    assert late.examples == (f"{lost.order_id} {lost.total.currency_code}",)
    mails = await suite.stubs.notifications.ListNotifications(
        ListNotificationsRequest(order_id=again.order_id)
    )
    assert len(mails.notifications) == 1

    assert (await cancel(suite, returned, 78)).state == OrderState.ORDER_STATE_REFUNDED
    await settle(suite, lost, variables)
    left = named(await books(variables))
    assert not [name for name, ids in left.items() if returned.order_id in ids]
    assert {name for name, ids in left.items() if lost.order_id in ids} == LEFT


async def settle(suite: BreakableSuite, lost: Order, variables: dict[str, str]) -> None:
    """Give money and stock of a lost order back as the page says, and rewind a consumer."""
    reservations = await suite.stubs.inventory.ListReservations(
        ListReservationsRequest(order_id=lost.order_id)
    )
    (reservation,) = reservations.reservations
    known = {
        **variables,
        "LOST_ORDER_ID": lost.order_id,
        "LOST_PAYMENT_ID": lost.payment_id,
        "LOST_RESERVATION_ID": reservation.reservation_id,
    }
    script = commands(PAGE, "", heading="What the restored database no longer knows")
    *before, take_back = script.splitlines(keepends=True)
    lines = [f"SKU={line.sku} QUANTITY={line.quantity}\n{take_back}" for line in reservation.lines]
    done = await shell("".join([*before, *lines]), known)
    assert done.code == 0, done.err
    assert json.dumps(lost.payment_id) in done.out
    rewound = await shell(commands(PAGE, "", heading="If no epoch was begun"), variables)
    assert rewound.code == 0, rewound.err
    await caught_up(suite, "order")


async def test_what_a_restored_payment_service_forgot_is_named(
    suite: BreakableSuite, tmp_path: Path
) -> None:
    """The processor has the money; who cancels the order makes it wait for an operator."""
    lost = await lost_and_restored(suite, "payment", tmp_path, seed=32)

    assert await wrong_about(suite, lost) == {"orders whose capture is not their total"}
    assert "processor captured = ledger" in (await books(await addresses(suite.cluster))).out
    cancelling = CancelOrderRequest(request_id=str(UUID(int=82)), order_id=lost.order_id)
    call = suite.stubs.orders.CancelOrder(cancelling, timeout=WAIT_S)
    async with asyncio.timeout(WAIT_S):
        asked = GetOrderRequest(order_id=lost.order_id)
        while not (await suite.stubs.orders.GetOrder(asked)).order.needs_review:
            await CLOCK.sleep(POLL_S)
    call.cancel()
    saga = (await suite.stubs.sagas.GetSaga(GetSagaRequest(order_id=lost.order_id))).saga
    assert saga.review_reason == "PAYMENT_NOT_FOUND"


async def test_a_restored_notification_service_writes_its_mails_again(
    suite: BreakableSuite, tmp_path: Path
) -> None:
    """The customer gets the mail a second time; nothing is wrong about the order."""
    lost = await lost_and_restored(suite, "notification", tmp_path, seed=33)

    asked = ListNotificationsRequest(order_id=lost.order_id)
    (again,) = (await suite.stubs.notifications.ListNotifications(asked)).notifications
    (twice,) = [each for each in await suite.wrong_books() if each.name == TWICE]
    assert len(twice.ids) == 1
    assert again.notification_id not in twice.ids
    assert await wrong_about(suite, lost) == set()
