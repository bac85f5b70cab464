"""Each page of shop and console can be used by everybody, on a phone and a desk, light and dark."""

import re
import uuid
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Response, expect
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_pb2 import Order

from scripts.suite.idle import wait_until_idle
from scripts.suite.secure.call_graph import CONSOLE, STOREFRONT
from tests.support.browser.browser_page import opened_page
from tests.support.browser.inspection import examined, scrolls_sideways
from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import CLOCK
from tests.support.suite.suite_pages import PagesAtEdge

pytestmark = pytest.mark.asyncio(loop_scope="session")

CUSTOMER = "900"
SHOP_PAGES = {
    "shop-catalogue": "/",
    "shop-nothing-found": "/?q=caviar",
    "shop-item": "/items/honey",
    "shop-basket": "/basket",
    "shop-checkout": "/checkout",
    "shop-orders": "/orders",
    "shop-order": "/orders/{confirmed}",
    "shop-order-refused": "/orders/{refused}",
    "shop-cancel": "/orders/{confirmed}/cancel",
}
CONSOLE_PAGES = {
    "console-overview": "/overview",
    "console-orders": "/orders",
    "console-order": "/orders/{confirmed}",
    "console-order-then": "/orders/{confirmed}?version=2",
    "console-sagas": "/sagas",
    "console-stock": "/stock?sku=honey",
    "console-payments": "/payments?order={confirmed}",
    "console-feeds": "/feeds",
    "console-instances": "/instances",
    "console-books": "/books",
    "console-audit": "/audit",
}


async def placed(shop: PagesAtEdge, number: int, payment_method: str, **units: int) -> Order:
    """The customer's order of these items, once it is settled."""
    request = rpc.CreateOrderRequest(
        request_id=str(uuid.UUID(int=500 + number, version=4)),
        customer_id=CUSTOMER,
        payment_method=payment_method,
        lines=[rpc.CreateOrderLine(sku=sku, quantity=count) for sku, count in units.items()],
    )
    return await shop.breakable.buy(request)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def orders(shop: PagesAtEdge) -> dict[str, str]:
    """A customer's orders by what became of them; the mails about them are sent."""
    confirmed = await placed(shop, 1, "pm_visa", bread=2, honey=1, butter=3)
    shipped = await placed(shop, 2, "pm_mastercard", figs=1)
    refused = await placed(shop, 3, "pm_insufficient_funds", lamp=1)
    fulfill = rpc.FulfillOrderRequest(
        request_id=str(uuid.UUID(int=600, version=4)), order_id=shipped.order_id
    )
    await shop.stubs.orders.FulfillOrder(fulfill, timeout=WAIT_S)
    assert await wait_until_idle(shop.stubs, clock=CLOCK, timeout_s=WAIT_S)
    by_name = {"confirmed": confirmed, "shipped": shipped, "refused": refused}
    return {name: order.order_id for name, order in by_name.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(shop: PagesAtEdge, chromium: Browser) -> AsyncIterator[Page]:
    """The page of a customer, with something in the basket."""
    async with opened_page(chromium) as page:
        await shop.log_in(page, STOREFRONT, f"{CUSTOMER} customer")
        for item in ("Rye bread", "Heather honey"):
            # Other tests' items may fill the first page of the catalogue.
            await page.goto(f"{shop.pages.url(STOREFRONT)}/?q={quote(item)}")
            await page.get_by_role("button", name=f"Add {item}").click()
            card = page.get_by_role("listitem").filter(has_text=item)
            await card.get_by_text("1 in the basket").wait_for()
        yield page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(shop: PagesAtEdge, chromium: Browser) -> AsyncIterator[Page]:
    """The page of an operator."""
    async with opened_page(chromium) as page:
        await shop.log_in(page, CONSOLE, "olga operator")
        yield page


async def faults_of(page: Page, name: str, url: str) -> list[str]:
    """What is wrong with the page at an address, and with what it loads."""
    failed: list[str] = []

    def on_response(response: Response) -> None:
        if response.status >= 400:
            failed.append(f"{response.status} of {response.url}")

    page.on("response", on_response)
    try:
        await page.goto(url)
        return [*failed, *await examined(page, name)]
    finally:
        page.remove_listener("response", on_response)


@pytest.mark.parametrize(("name", "path"), SHOP_PAGES.items())
async def test_a_page_of_the_shop(
    shop: PagesAtEdge, orders: dict[str, str], customer: Page, name: str, path: str
) -> None:
    """It loads whole, fits a phone, and axe finds nothing serious in it."""
    url = f"{shop.pages.url(STOREFRONT)}{path.format(**orders)}"
    assert await faults_of(customer, name, url) == []


@pytest.mark.parametrize(("name", "path"), CONSOLE_PAGES.items())
async def test_a_page_of_the_console(
    shop: PagesAtEdge, orders: dict[str, str], operator: Page, name: str, path: str
) -> None:
    """It loads whole, fits a phone, and axe finds nothing serious in it."""
    url = f"{shop.pages.url(CONSOLE)}{path.format(**orders)}"
    assert await faults_of(operator, name, url) == []


async def test_a_plot_is_cut_until_it_fits_its_box(shop: PagesAtEdge, operator: Page) -> None:
    """A canvas that is still as wide as a desk doesn't make a phone scroll."""
    await operator.goto(f"{shop.pages.url(CONSOLE)}/overview")
    plots = operator.locator("[data-plot] canvas")
    await plots.first.wait_for()
    for plot in await plots.all():
        await plot.evaluate("canvas => { canvas.parentElement.style.minWidth = '2000px'; }")

    assert await scrolls_sideways(operator) == []


async def test_a_plot_is_drawn_again_for_a_narrower_box(shop: PagesAtEdge, operator: Page) -> None:
    """All of it is seen."""
    await operator.goto(f"{shop.pages.url(CONSOLE)}/overview")
    await operator.locator("[data-plot] canvas").first.wait_for()

    await operator.locator(".plots").evaluate("plots => { plots.style.width = '300px'; }")

    fits = "[...document.querySelectorAll('[data-plot] canvas')].every(c => c.clientWidth <= 300)"
    await operator.wait_for_function(fits)


@pytest.mark.parametrize("service", ["order", "payment", "inventory"])
async def test_an_order_names_the_instances_that_recorded_it(
    shop: PagesAtEdge, orders: dict[str, str], operator: Page, service: str
) -> None:
    """Each call of its timeline says which instance of a service answered it."""
    await operator.goto(f"{shop.pages.url(CONSOLE)}/orders/{orders['confirmed']}")
    called = operator.get_by_text(re.compile(rf"\b{service}-\d+ recorded"))

    await expect(called.first).to_be_visible()


async def test_the_page_of_what_does_not_exist(shop: PagesAtEdge, customer: Page) -> None:
    """It says so as well as other pages say what they say."""
    await customer.goto(f"{shop.pages.url(STOREFRONT)}/orders/ord_{'0' * 32}")
    assert await examined(customer, "shop-not-found") == []
