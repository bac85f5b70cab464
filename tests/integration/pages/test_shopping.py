"""People shop in a real browser, while the instances behind their page are killed."""

import asyncio

import pytest
from playwright.async_api import Browser, Page, expect
from tradepost.order.v1.order_service_pb2 import GetOrderRequest, ListOrdersRequest

from scripts.suite.secure.call_graph import STOREFRONT
from tests.support.browser.browser_page import opened_page
from tests.support.browser.order_page import OrderPage
from tests.support.limits import WAIT_S
from tests.support.suite.frozen_processes import frozen
from tests.support.suite.suite_pages import PagesAtEdge

pytestmark = pytest.mark.asyncio(loop_scope="session")

# More than any page of the shop has to be passed.
MOST_TABS = 60
# The name of what has the focus, and how its outline is drawn.
FOCUSED = """() => {
    const one = document.activeElement;
    const name = one.labels?.[0]?.textContent ?? one.textContent;
    return [name.replace(/\\s+/g, " ").trim(), getComputedStyle(one).outlineStyle];
}"""


async def to_checkout(page: Page, item: str) -> None:
    """Find an item, put it into the basket and go to the checkout."""
    await page.get_by_label("Search").fill(item)
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("button", name="Add").first.click()
    await page.get_by_text("in the basket").wait_for()
    await page.get_by_role("link", name="Basket").first.click()
    await page.get_by_role("link", name="To the checkout").click()


async def expect_whole_story(shop: PagesAtEdge, followed: OrderPage) -> None:
    """Each version of the order is on the page once, in order."""
    answer = await shop.stubs.orders.GetOrder(GetOrderRequest(order_id=followed.order_id))
    assert await followed.versions() == list(range(1, answer.order.version + 1))


async def test_a_shopper_buys_follows_and_cancels(shop: PagesAtEdge, chromium: Browser) -> None:
    """A double click is one order; its page tells each version once, whoever is killed behind it.

    Both instances of the order service and of the shop are killed while the page is open, one
    before the order is paid, the other before its money is returned.
    """
    payment = shop.breakable.slots("payment")
    rounds = zip(shop.breakable.slots("order"), shop.instances_of(STOREFRONT), strict=True)
    async with opened_page(chromium) as page:
        await shop.log_in(page, STOREFRONT, "ann customer")
        await to_checkout(page, "Tea")
        async with frozen(*payment):
            await page.get_by_role("button", name="Order and pay").dblclick()
            followed = await OrderPage.opened(page)
            await followed.until("AUTHORIZING")
            await shop.kill(*next(rounds))
        await followed.until("CONFIRMED")
        await expect_whole_story(shop, followed)
        listed = await shop.stubs.orders.ListOrders(ListOrdersRequest(customer_id="ann"))
        assert [order.order_id for order in listed.orders] == [followed.order_id]

        await page.get_by_role("link", name="Cancel this order").click()
        await page.get_by_label("Why?").fill("too much tea")
        async with frozen(*payment):
            await page.get_by_role("button", name="Yes, cancel it").click()
            followed = await OrderPage.opened(page)
            await followed.until("REFUNDING")
            await shop.kill(*next(rounds))
        await followed.until("REFUNDED")
        await expect(page.locator("#order")).to_contain_text("too much tea")
        await expect_whole_story(shop, followed)


async def test_an_order_is_placed_by_keys_alone(shop: PagesAtEdge, chromium: Browser) -> None:
    """Tab, letters and Enter lead from the login to the order."""
    async with opened_page(chromium) as page:
        await page.goto(f"{shop.pages.url(STOREFRONT)}/login")
        await press(page, "ben customer")
        await page.wait_for_url("**/shop/**")
        await tab_to(page, "Search")
        await page.keyboard.type("Tea")
        await enter(page)
        await press(page, "Add Tea to the basket")
        await page.get_by_text("in the basket").wait_for()
        await press(page, "Basket (1)")
        await press(page, "To the checkout")
        await press(page, "Order and pay")
        followed = await OrderPage.opened(page)
        await followed.until("CONFIRMED")


async def press(page: Page, name: str) -> None:
    """Go to a link or button by the Tab key alone, and press Enter."""
    await tab_to(page, name)
    await enter(page)


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus has a name that begins so; the focus can be seen."""
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        focused, outline = await page.evaluate(FOCUSED)
        if focused.startswith(name):
            assert outline != "none", f"nobody sees that {name} has the focus"
            return
    raise AssertionError(f"the Tab key never comes to {name}")


async def enter(page: Page) -> None:
    """Press Enter, which leads to another page."""
    async with page.expect_navigation(timeout=WAIT_S * 1_000):
        await page.keyboard.press("Enter")


async def test_shopping_needs_no_script(shop: PagesAtEdge, chromium: Browser) -> None:
    """Without JavaScript an order is placed, read, listed and cancelled."""
    async with opened_page(chromium, scripts=False) as page:
        await shop.log_in(page, STOREFRONT, "900 customer")
        await to_checkout(page, "figs")
        await page.get_by_role("button", name="Order and pay").click()
        await page.wait_for_url("**/shop/orders/ord_*")
        await load_until(page, "CONFIRMED")
        await page.get_by_role("link", name="My orders").first.click()
        await expect(page.locator("main table")).to_contain_text("Confirmed")

        await page.locator("main table a").first.click()
        await page.get_by_role("link", name="Cancel this order").click()
        await page.get_by_role("button", name="Yes, cancel it").click()
        await load_until(page, "REFUNDED")


async def load_until(page: Page, state: str) -> None:
    """Follow the page's own link to itself until it shows a state."""
    shown = page.locator(f"#order [data-state={state}]")
    async with asyncio.timeout(WAIT_S):
        while not await shown.count():
            await page.get_by_role("link", name="Load again").click()
            # A click waits only until the page's first bytes are there.
            await page.wait_for_load_state()
