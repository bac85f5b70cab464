"""An operator finds what is stuck in a real browser, repairs it, and the audit trail says who."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from itertools import count
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest
from tradepost.order.v1.order_pb2 import Coordination, Order, OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest, FulfillOrderRequest

from scripts.suite.secure.call_graph import CONSOLE
from tests.support.background import meanwhile
from tests.support.browser.browser_page import opened_page
from tests.support.browser.inspection import examined
from tests.support.limits import WAIT_S
from tests.support.store.databases import tamper
from tests.support.suite.breakable_suite import CLOCK, POLL_S
from tests.support.suite.suite_pages import PagesAtEdge

pytestmark = pytest.mark.asyncio(loop_scope="session")

STUCK = (
    "CREATE TRIGGER stuck BEFORE INSERT ON stock_movement WHEN NEW.sku = '{}'"
    " BEGIN SELECT RAISE(ABORT, 'stuck'); END"
)
# A step that needs a review is repeated every 30 s.
LONG = timedelta(seconds=15)
BROKEN = "CREATE UNIQUE INDEX broken ON reservation_line (sku) WHERE sku = '{}'"


@asynccontextmanager
async def the_operator(shop: PagesAtEdge, chromium: Browser) -> AsyncIterator[Page]:
    """Olga's page of the console."""
    async with opened_page(chromium) as page:
        await shop.log_in(page, CONSOLE, "olga operator")
        yield page


async def open_by_name(page: Page, name: str) -> None:
    """Open a page of the console by the navigation."""
    await page.get_by_label("Main").get_by_role("link", name=name, exact=True).click()


async def load_until_shown(page: Page, text: str) -> None:
    """Load the page again until it shows a text."""
    async with asyncio.timeout(WAIT_S):
        while text not in await page.inner_text("main"):
            await CLOCK.sleep(POLL_S)
            await page.reload()


async def expect_audited(page: Page, what: str, why: str) -> None:
    """The audit page says that Olga did it, and why."""
    await open_by_name(page, "Audit")
    row = page.get_by_role("row").filter(has_text=what).filter(has_text=why)
    assert "person:olga" in await row.first.inner_text()


async def an_order(shop: PagesAtEdge, seed: int) -> Order:
    """A confirmed order."""
    return await shop.breakable.buy(await shop.breakable.a_request(seed))


async def place_others(shop: PagesAtEdge) -> None:
    """Place orders of other items, one after the other, so that inventory answers all instances.

    A step needs a review only where its participant answers other orders.
    """
    for seed in count(100):
        await shop.breakable.buy(await shop.breakable.a_request(seed))
        await CLOCK.sleep(1)


async def expect_no_attempt_soon(shop: PagesAtEdge, order_id: str) -> None:
    """Wait until only a retry makes the saga go on: a while before its next attempt."""
    async with asyncio.timeout(WAIT_S):
        while True:
            saga = (await shop.stubs.sagas.GetSaga(GetSagaRequest(order_id=order_id))).saga
            wait = saga.next_attempt_time.ToDatetime(tzinfo=UTC) - CLOCK.now()
            if wait > LONG:
                return
            await CLOCK.sleep(POLL_S)


async def test_a_stuck_saga_is_found_and_retried(shop: PagesAtEdge, chromium: Browser) -> None:
    """From a figure of the overview, which changes by itself, to the failing step and a retry."""
    order = await an_order(shop, 1)
    database = shop.breakable.database_url("inventory")
    tamper(database, STUCK.format(order.lines[0].sku))
    request = FulfillOrderRequest(request_id=str(UUID(int=1, version=4)), order_id=order.order_id)
    fulfilling = asyncio.ensure_future(shop.stubs.orders.FulfillOrder(request, timeout=WAIT_S))
    async with the_operator(shop, chromium) as page, meanwhile(place_others(shop)):
        figure = page.get_by_role("listitem").filter(has_text="Need review")
        await figure.get_by_role("link", name="1", exact=True).click()
        await page.get_by_text(order.order_id).wait_for()
        assert await examined(page, "console-sagas-stuck") == []
        await page.get_by_role("link", name=order.order_id).click()
        assert await examined(page, "console-order-stuck") == []
        await page.go_back()

        await page.get_by_label(f"Choose {order.order_id}").check()
        await page.get_by_label("Reason").fill("the trigger is dropped")
        await expect_no_attempt_soon(shop, order.order_id)
        tamper(database, "DROP TRIGGER stuck")
        await page.get_by_role("button", name="Retry").click()
        await page.get_by_text("Retried 1 of 1").wait_for()
        assert (await fulfilling).order.state == OrderState.ORDER_STATE_FULFILLED
        await load_until_shown(page, "No saga is unfinished")
        await expect_audited(page, "RetrySaga", "the trigger is dropped")


async def test_a_dead_letter_is_found_and_replayed(shop: PagesAtEdge, chromium: Browser) -> None:
    """An event that a consumer can't apply is listed with the error; its order goes on after."""
    first = await an_order(shop, 2)
    database = shop.breakable.database_url("inventory")
    tamper(database, BROKEN.format(first.lines[0].sku))
    creating = asyncio.ensure_future(_choreographed(shop, seed=2))
    async with the_operator(shop, chromium) as page:
        await open_by_name(page, "Feeds")
        await load_until_shown(page, "Replay 1")
        assert await examined(page, "console-feeds-dead-letter") == []

        tamper(database, "DROP INDEX broken")
        letter = page.get_by_role("form", name="Replay ord_")
        await letter.get_by_label("Reason").fill("the index is gone")
        await letter.get_by_role("button", name="Replay 1").click()
        await page.get_by_text("Replayed 1 events of ord_").wait_for()
        repaired = await creating
        assert repaired.state == OrderState.ORDER_STATE_CONFIRMED
        await expect_audited(page, "ReplayDeadLetters", "the index is gone")


async def _choreographed(shop: PagesAtEdge, *, seed: int) -> Order:
    """An order like that of the seed, but of a request of its own, once it is settled."""
    request = CreateOrderRequest()
    request.CopyFrom(await shop.breakable.a_request(seed))
    request.request_id = str(UUID(int=2, version=4))
    request.coordination = Coordination.COORDINATION_CHOREOGRAPHED
    return await shop.breakable.buy(request)


async def test_a_consumer_is_rewound(shop: PagesAtEdge, chromium: Browser) -> None:
    """A consumer reads its feed again; nobody's order changes by that."""
    async with the_operator(shop, chromium) as page:
        await open_by_name(page, "Feeds")
        await page.get_by_text("Rewind a consumer").click()
        form = page.locator("form").filter(has=page.get_by_label("After position"))
        await form.get_by_label("After position").fill("0")
        await form.get_by_label("Reason").fill("to be sure")
        await form.get_by_role("button", name="Rewind").click()
        await page.get_by_text("Rewound").first.wait_for()
        await expect_audited(page, "RewindSubscription", "to be sure")
    assert await shop.breakable.wrong_books() == []


async def test_an_action_without_a_reason_is_not_done(shop: PagesAtEdge, chromium: Browser) -> None:
    """The browser doesn't send a form whose reason is empty."""
    order = await an_order(shop, 3)
    async with the_operator(shop, chromium) as page:
        await page.goto(f"{shop.pages.url(CONSOLE)}/orders/{order.order_id}")
        await page.get_by_text("Cancel", exact=False).first.click()
        reason = page.get_by_label("Reason").first
        await page.get_by_role("button", name="Cancel").click()
        assert await reason.evaluate("field => field.validity.valueMissing")
        assert page.url.endswith(order.order_id)


async def test_the_console_is_read_without_scripts(shop: PagesAtEdge, chromium: Browser) -> None:
    """Orders are found by a filter, and one is read at an earlier version, by forms alone."""
    order = await an_order(shop, 4)
    async with opened_page(chromium, scripts=False) as page:
        await shop.log_in(page, CONSOLE, "olga operator")
        await open_by_name(page, "Orders")
        await page.get_by_label("Customer").fill(order.customer_id)
        await page.get_by_role("button", name="Filter").click()
        await page.get_by_role("link", name=order.order_id).click()
        await expect(page.locator("main")).to_contain_text("OrderConfirmed")
        await page.get_by_role("link", name="version 1", exact=True).first.click()
        await expect(page.locator("main")).to_contain_text("as it was at version 1")
