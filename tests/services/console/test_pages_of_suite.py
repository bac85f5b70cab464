"""The console's pages in front of real services: what they show, and what forms do."""

import asyncio
from uuid import UUID

import pytest
import pytest_asyncio
from tradepost.event.v1.event_service_pb2 import ListSubscriptionsRequest
from tradepost.inventory.v1.inventory_service_pb2 import GetStockRequest
from tradepost.order.v1.order_pb2 import Coordination, Order
from tradepost.order.v1.order_service_pb2 import FulfillOrderRequest, GetOrderRequest

from scripts.suite.idle import wait_until_idle
from tests.support.console.running_console import Visitor, shown, text_of, visitor
from tests.support.limits import WAIT_S
from tests.support.store.databases import tamper
from tests.support.suite.breakable_suite import CLOCK, BreakableSuite
from tests.support.suite.frozen_processes import frozen

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = ("overview", "orders", "sagas", "stock", "payments", "feeds", "instances", "books", "audit")
SOURCES = ("call", "event", "step", "money", "stock", "mail")
STUCK = (
    "CREATE TRIGGER stuck BEFORE INSERT ON stock_movement WHEN NEW.sku = '{}'"
    " BEGIN SELECT RAISE(ABORT, 'stuck'); END"
)
BROKEN = "CREATE UNIQUE INDEX broken ON reservation_line (sku) WHERE sku = '{}'"

UNWRITTEN = (
    "CREATE TRIGGER unwritten BEFORE INSERT ON notification"
    " BEGIN SELECT RAISE(ABORT, 'unwritten'); END"
)


async def an_order(suite: BreakableSuite, seed: int) -> Order:
    """A confirmed order of a customer of its own."""
    return await suite.buy(await suite.a_request(seed))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def order(suite: BreakableSuite) -> Order:
    """A confirmed order about which the mail is sent."""
    confirmed = await an_order(suite, 1)
    assert await wait_until_idle(suite.stubs, clock=CLOCK, timeout_s=WAIT_S)
    return confirmed


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_answers(olga: Visitor, order: Order, page: str) -> None:
    """Every page of the navigation is complete while every service answers."""
    answer = await olga.page(page)

    assert answer.status_code == 200
    assert "could not be read" not in answer.text


async def test_the_timeline_has_entries_of_all_six_sources(olga: Visitor, order: Order) -> None:
    """Events, steps, money, stock, mails and calls stand in one list."""
    page = (await olga.page(f"orders/{order.order_id}")).text

    assert [source for source in SOURCES if f"source-{source}" not in page] == []
    assert "OrderConfirmed" in page
    assert "capture: done after" in page
    assert "ledger: CAPTURED" in page
    assert "mail ORDER_CONFIRMED sent" in page


async def test_the_order_is_shown_as_it_was_at_a_version(olga: Visitor, order: Order) -> None:
    """At its first version it was RESERVING, and nothing later had happened."""
    page = (await olga.page(f"orders/{order.order_id}", version="1")).text

    assert "RESERVING" in page
    assert f"version 1 of {order.version}" in page
    assert "OrderConfirmed" not in page


async def test_one_source_can_be_shown_alone(olga: Visitor, order: Order) -> None:
    """A long timeline is read source by source, by a URL that can be shared."""
    page = (await olga.page(f"orders/{order.order_id}", source="money")).text

    assert "source-money" in page
    assert "source-event" not in page


async def test_orders_are_found_by_customer_and_state(olga: Visitor, order: Order) -> None:
    """The filter is in the URL, and what doesn't match isn't listed."""
    hers = (await olga.page("orders", customer=order.customer_id, state="CONFIRMED")).text
    others = (await olga.page("orders", customer=order.customer_id, state="REJECTED")).text

    assert order.order_id in hers
    assert order.order_id not in others


async def test_an_unreadable_filter_is_said(olga: Visitor) -> None:
    """What can't be used is named rather than ignored."""
    page = (await olga.page("orders", state="LOST", after="yesterday")).text

    assert "LOST is not a state" in page
    assert "yesterday is not a date" in page


async def test_a_customer_may_see_nothing(console_url: str) -> None:
    """The console is for staff: a customer's role opens no page."""
    async with visitor(console_url, "ann", "CUSTOMER") as ann:
        assert (await ann.page("orders")).status_code == 403


async def test_the_menu_has_what_the_person_may_open(console_url: str) -> None:
    """A clerk comes to the orders first, and no link of the menu leads to a refusal."""
    async with visitor(console_url, "carl", "CLERK") as carl:
        page = await carl.page("")
        offered = [name for name in PAGES if f'href="/console/{name}"' in page.text]
        answers = {name: (await carl.page(name)).status_code for name in PAGES}

    assert page.url.path == "/console/orders"
    assert answers == {name: 200 if name in offered else 403 for name in PAGES}
    assert {"orders", "stock", "payments"} <= set(offered) < set(PAGES)


async def test_a_clerk_sees_what_the_contract_allows(console_url: str, order: Order) -> None:
    """A clerk sees the order, but neither ledger nor saga, and is told so."""
    async with visitor(console_url, "carl", "CLERK") as carl:
        page = (await carl.page(f"orders/{order.order_id}")).text
        assert (await carl.page("feeds")).status_code == 403

    assert "OrderConfirmed" in page
    assert "ledger: CAPTURED" not in page
    assert "PERMISSION_DENIED" in page


async def test_a_form_without_a_reason_does_nothing(
    olga: Visitor, suite: BreakableSuite, order: Order
) -> None:
    """Every action demands a reason."""
    answer = await olga.send(f"orders/{order.order_id}/cancel", 1, {}, reason=" ")
    now = await suite.stubs.orders.GetOrder(GetOrderRequest(order_id=order.order_id))

    assert answer.status_code == 400
    assert "Say why" in answer.text
    assert now.order.version == order.version


async def test_a_form_of_another_site_does_nothing(olga: Visitor, order: Order) -> None:
    """A form without the session's token is refused."""
    path = f"orders/{order.order_id}/cancel"
    assert (await olga.send(path, 2, {"csrf_token": "guessed"})).status_code == 403


async def test_a_repeated_form_has_one_effect(
    olga: Visitor, suite: BreakableSuite, order: Order
) -> None:
    """A double click adjusts the stock once."""
    sku = order.lines[0].sku
    before = (await suite.stubs.inventory.GetStock(GetStockRequest(sku=sku))).stock
    for _ in range(2):
        answer = await olga.send("stock/adjust", 3, {"sku": sku, "delta": "7"}, reason="counted")
        assert "Adjusted" in answer.text
    after = (await suite.stubs.inventory.GetStock(GetStockRequest(sku=sku))).stock

    assert after.on_hand_count == before.on_hand_count + 7
    assert "counted" in (await olga.page("stock", sku=sku)).text


async def test_orders_are_fulfilled_cancelled_and_refunded(
    olga: Visitor, suite: BreakableSuite
) -> None:
    """Each form does what it says, and its reason stands in the timeline."""
    shipped, dropped = await an_order(suite, 2), await an_order(suite, 3)
    await olga.send(f"orders/{shipped.order_id}/fulfill", 4, {}, reason="packed by hand")
    refund = {"payment_id": shipped.payment_id, "amount_minor": "1"}
    await olga.send(f"orders/{shipped.order_id}/refund", 5, refund, reason="came late")
    await olga.send(f"orders/{dropped.order_id}/cancel", 6, {}, reason="asked by phone")

    page = await shown(lambda: text_of(olga, f"orders/{shipped.order_id}"), "FULFILLED")
    assert "packed by hand" in page
    assert "came late" in page
    page = await shown(lambda: text_of(olga, f"orders/{dropped.order_id}"), "REFUNDED")
    assert "asked by phone" in page


async def test_a_stuck_saga_is_found_and_retried(olga: Visitor, suite: BreakableSuite) -> None:
    """A saga whose step keeps failing is listed for review with its error, and can be retried."""
    order = await an_order(suite, 4)
    order_id, database = order.order_id, suite.database_url("inventory")
    tamper(database, STUCK.format(order.lines[0].sku))
    fulfilling = asyncio.ensure_future(
        suite.stubs.orders.FulfillOrder(
            FulfillOrderRequest(request_id=str(UUID(int=40)), order_id=order_id), timeout=WAIT_S
        )
    )
    page = await shown(lambda: text_of(olga, "sagas", review="yes"), order_id)
    alone = await olga.send(f"orders/{order_id}/retry", 10, {}, reason="tried as it is")
    answer = await olga.send("sagas/retry", 7, {"chosen": order_id}, reason="trigger dropped")
    tamper(database, "DROP TRIGGER stuck")
    await fulfilling

    assert "fulfill" in page
    assert "INTERNAL" in page
    assert "Retried fulfill, attempt" in alone.text
    assert "Retried 1 of 1" in answer.text
    timeline = await text_of(olga, f"orders/{order_id}")
    assert "tried as it is" in timeline
    assert "trigger dropped" in timeline
    assert "RetrySaga" in await text_of(olga, "audit")
    assert order_id not in await text_of(olga, "sagas")


async def test_a_dead_letter_is_found_and_replayed(olga: Visitor, suite: BreakableSuite) -> None:
    """What a consumer could not apply is listed by aggregate, and applied after the repair."""
    request = await suite.a_request(5)
    request.coordination = Coordination.COORDINATION_CHOREOGRAPHED
    first = await an_order(suite, 5)
    database = suite.database_url("inventory")
    tamper(database, BROKEN.format(first.lines[0].sku))
    request.request_id = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a55"
    creating = asyncio.ensure_future(suite.stubs.orders.CreateOrder(request, timeout=WAIT_S))
    page = await shown(lambda: text_of(olga, "feeds"), 'name="aggregate_id"')
    order_id = page.partition('name="aggregate_id" value="')[2].partition('"')[0]
    tamper(database, "DROP INDEX broken")

    parked = {
        "service": "inventory",
        "consumer": "inventory-checkout-of-orders",
        "aggregate_id": order_id,
    }
    answer = await olga.send("feeds/replay", 8, parked, reason="index dropped again")
    assert f"Replayed 1 events of {order_id}" in answer.text
    await creating
    assert "No event is parked" in await text_of(olga, "feeds")
    assert "ReplayDeadLetters" in await text_of(olga, "audit")


async def test_a_consumer_is_rewound(olga: Visitor, suite: BreakableSuite) -> None:
    """A consumer reads its feed again from the position that was asked for, and catches up."""
    stub = suite.stubs.subscriptions["order"]
    (one, *_) = (await stub.ListSubscriptions(ListSubscriptionsRequest())).subscriptions
    values = {"consumer": f"order/{one.consumer}", "after_position": "0"}
    answer = await olga.send("feeds/rewind", 9, values, reason="to be sure")

    assert f"Rewound {one.consumer}, which was at" in answer.text
    trail = await text_of(olga, "audit")
    assert "RewindSubscription" in trail
    assert "Open mode: nobody is known" in trail
    page = await text_of(olga, "feeds", service="order")
    assert one.consumer in page


async def test_the_books_hold(olga: Visitor, suite: BreakableSuite, order: Order) -> None:
    """Once the suite is idle, every equation holds."""
    assert await wait_until_idle(suite.stubs, clock=CLOCK, timeout_s=WAIT_S)
    page = await shown(lambda: text_of(olga, "books/live"), "holds")

    assert "items compared: 0" not in page
    assert "under way" not in page
    assert "broken for" not in page
    assert "being read" not in page


async def test_a_frozen_service_leaves_the_rest_of_the_page(
    olga: Visitor, suite: BreakableSuite, order: Order
) -> None:
    """What doesn't answer in time is named with its reason; everything else is shown."""
    async with frozen(*suite.slots("notification")):
        answer = await olga.page(f"orders/{order.order_id}")
        overview = await olga.page("overview")

    assert answer.status_code == 200
    assert "mails: <code>DEADLINE_EXCEEDED" in answer.text.replace(
        "UNAVAILABLE", "DEADLINE_EXCEEDED"
    )
    assert "OrderConfirmed" in answer.text
    assert overview.status_code == 200
    assert "notification&#39;s consumers" in overview.text


async def test_a_dead_letter_is_discarded(olga: Visitor, suite: BreakableSuite) -> None:
    """What is never to be applied is left out of the page, and shown with the reason on demand."""
    database = suite.database_url("notification")
    tamper(database, UNWRITTEN)
    order = await an_order(suite, 6)
    page = await shown(lambda: text_of(olga, "feeds", aggregate=order.order_id), "Discard one")
    letter_id = page.partition('name="dead_letter_id"><option value="')[2].partition('"')[0]
    tamper(database, "DROP TRIGGER unwritten")

    parked = {"service": "notification", "dead_letter_id": letter_id}
    answer = await olga.send("feeds/discard", 11, parked, reason="told by phone")

    assert f"Discarded OrderConfirmed of {order.order_id}." in answer.text
    assert letter_id not in await text_of(olga, "feeds")
    assert "told by phone" in await text_of(olga, "feeds", discarded="yes")
    assert "DiscardDeadLetter" in await text_of(olga, "audit")
