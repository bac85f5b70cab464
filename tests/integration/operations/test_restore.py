"""A service is put back to an earlier state under a running suite, by the commands of the page."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from tradepost.event.v1.event_service_pb2 import GetFeedRequest, ListSubscriptionsRequest
from tradepost.inventory.v1.inventory_service_pb2 import ListReservationsRequest
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.order.v1.order_service_pb2 import CancelOrderRequest, CreateOrderRequest

from services.console.books.books_reader import BooksReader
from services.console.reading.asker import Asker
from tests.support.limits import WAIT_S
from tests.support.store.databases import SQLITE
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite, settled
from tests.support.suite.operator_pages import addresses, commands, shell
from tests.support.suite.programs import ProgramResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "backup-and-restore.md"
UNBALANCED = 1
MINUTE = timedelta(seconds=61)
# What names a lost order, and what is left of it in the books when it has been settled.
LOST = {
    "orders whose capture is not their total",
    "committed reservations without such an order, or the reverse",
    "notifications without such an order, or the reverse",
}

LEFT = {
    "orders whose capture is not their total",
    "orders that show another refund",
    "notifications without such an order, or the reverse",
}


async def placed(suite: BreakableSuite, request: CreateOrderRequest) -> Order:
    """Place an order and wait until it is confirmed."""
    order = (await suite.stubs.orders.CreateOrder(request, timeout=WAIT_S)).order
    return await settled(suite.stubs.orders, order.order_id)


async def cancel(suite: BreakableSuite, order: Order, number: int) -> Order:
    """Cancel a confirmed order and wait until its money is back."""
    request = CancelOrderRequest(request_id=str(UUID(int=number)), order_id=order.order_id)
    await suite.stubs.orders.CancelOrder(request, timeout=WAIT_S)
    return await settled(suite.stubs.orders, order.order_id)


async def restore(suite: BreakableSuite, variables: dict[str, str]) -> None:
    """Stop the service, put its database back and start it, as the page says."""
    slot = suite.slots("order")[0]
    before = await suite.cluster.instances("order")
    stop, *rest = commands(PAGE, "", SQLITE, heading="Restore").splitlines(keepends=True)
    assert slot.process is not None
    done = await shell(stop, {**variables, "ORDER_PIDS": str(slot.process.pid)})
    assert done.code == 0, done.err
    await asyncio.to_thread(slot.process.wait, WAIT_S)
    done = await shell("".join(rest), variables)
    assert done.code == 0, done.err
    assert "follows" in done.out
    await slot.start()
    await suite.cluster.wait_registered(replaced=before)


async def caught_up(suite: BreakableSuite) -> None:
    """Wait until mails follow the new history, and no consumer of any service is behind."""
    epoch = (await suite.stubs.feeds["order"].GetFeed(GetFeedRequest())).epoch
    async with asyncio.timeout(WAIT_S):
        while True:
            answers = {
                service: await stub.ListSubscriptions(ListSubscriptionsRequest())
                for service, stub in suite.stubs.subscriptions.items()
            }
            listed = [one for answer in answers.values() for one in answer.subscriptions]
            (mails,) = answers["notification"].subscriptions
            is_current = all(one.HasField("lag_count") and not one.lag_count for one in listed)
            if mails.epoch == epoch and is_current:
                assert [one.refusal for one in listed if one.refusal] == []
                return
            await CLOCK.sleep(POLL_S)


async def books(variables: dict[str, str]) -> ProgramResult:
    """Check the books as the page says."""
    return await shell(f"trap - ERR\n{commands(PAGE, 'unbalanced')}", variables)


def named(checked: ProgramResult) -> dict[str, set[str]]:
    """The ids that the check names, by equation."""
    lines = [line.rpartition(": ") for line in checked.out.splitlines() if ": " in line]
    return {name: set(ids.split()) for name, _, ids in lines}


async def test_what_a_restored_order_service_forgot_is_named_and_can_be_settled(
    suite: BreakableSuite, tmp_path: Path
) -> None:
    """Consumers go on by themselves, nothing is skipped, and the books name what was lost."""
    variables = {
        **await addresses(suite.cluster),
        "ORDER_DATABASE_URL": suite.database_url("order"),
        "ORDER_DB": suite.database_url("order").removeprefix("sqlite:///"),
        "BACKUPS": str(tmp_path),
    }
    kept = await placed(suite, await suite.a_request(1))
    returned = await placed(suite, await suite.a_request(2))
    reader = BooksReader(suite.stubs, clock=CLOCK)
    asker = Asker((), frozenset({"OPERATOR"}), WAIT_S)
    done = await shell(commands(PAGE, SQLITE, heading="Back up"), variables)
    assert done.code == 0, done.err
    assert (await cancel(suite, returned, 77)).state == OrderState.ORDER_STATE_REFUNDED
    lost = await placed(suite, await suite.a_request(3))
    assert await suite.wrong_books() == []
    await reader.look(asker, for_s=WAIT_S)

    await restore(suite, variables)
    await caught_up(suite)

    assert (await settled(suite.stubs.orders, kept.order_id)).state == kept.state
    again = await placed(suite, await suite.a_request(4))
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
    await caught_up(suite)
