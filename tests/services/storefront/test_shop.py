"""The shop before a whole suite of processes, used by browsers without JavaScript and phones."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from tradepost.order.v1 import order_service_pb2 as rpc

from tests.support.limits import WAIT_S
from tests.support.storefront.event_stream import StreamEvent, open_stream
from tests.support.storefront.running_shop import (
    CHECKOUT,
    CLOCK,
    RunningShop,
    form_of,
    running_shop,
)
from tests.support.suite.frozen_processes import frozen

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What a call waits for by itself; a screen with a deadline of its own is far below.
CALL_S = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningShop]:
    """A shop that sells oat milk, tea and jam."""
    async with running_shop(tmp_path_factory.mktemp("shop")) as opened:
        await opened.offer("milk-1", "Oat milk")
        await opened.offer("tea-1", "Green tea", price_minor=1_000)
        await opened.offer("jam-1", "Fig jam", price_minor=399, units=3)
        yield opened


async def test_a_customer_shops_without_javascript(shop: RunningShop) -> None:
    """Search, basket, checkout, the order with its story, payment and mail, and the list."""
    async with shop.browser("ann") as browser:
        found = await browser.open("/shop/?q=oat")
        assert "Oat milk" in found
        assert "Green tea" not in found
        checkout = await browser.fill_basket("milk-1", 3)
        assert "USD 7.50" in checkout

        answer = await browser.send(checkout, CHECKOUT, payment_method="pm_visa")
        path = answer.url.path
        page = await browser.until_shown(path, 'data-state="CONFIRMED"')
        page = await browser.until_shown(path, "Your order is confirmed")

        assert "You placed the order" in page
        assert page.index("You placed the order") < page.index("Paid and confirmed")
        assert re.search(r"<dt>Charged</dt><dd>USD 7.50</dd>", page)
        assert "There is nothing in it" in await browser.open("/shop/basket")
        order_id = path.rpartition("/")[2]
        assert order_id in await browser.open("/shop/orders?show=open")
        assert order_id not in await browser.open("/shop/orders?show=shipped")


async def test_a_customer_cancels_an_order_after_being_asked(shop: RunningShop) -> None:
    """The order is refunded; its items can be put into the basket again."""
    async with shop.browser("cora") as browser:
        order_id = await browser.order("tea-1")
        path = f"/shop/orders/{order_id}"
        await browser.until_shown(path, 'data-state="CONFIRMED"')
        question = await browser.open(f"{path}/cancel")
        answer = await browser.send(question, f"{path}/cancel", reason="too much tea")

        page = await browser.until_shown(answer.url.path, 'data-state="REFUNDED"')
        assert "too much tea" in page
        again = await browser.send(page, f"{path}/again")
        assert "Green tea" in again.text


async def test_an_order_is_listed_page_by_page(shop: RunningShop) -> None:
    """Each order is on one page, the newest first."""
    orders = shop.breakable.stubs.orders
    placed = []
    for _ in range(21):
        request = rpc.CreateOrderRequest(
            request_id=shop.new_id(),
            customer_id="dora",
            payment_method="pm_visa",
            lines=[rpc.CreateOrderLine(sku="milk-1", quantity=1)],
        )
        placed.append((await orders.CreateOrder(request)).order.order_id)
    async with shop.browser("dora") as browser:
        first = await browser.open("/shop/orders")
        (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
        second = await browser.open(older.replace("&amp;", "&"))

    listed = re.findall(r'href="/shop/orders/(ord_[0-9a-f]+)"', first + second)
    assert listed == placed[::-1]


async def test_the_catalogue_is_listed_page_by_page(shop: RunningShop) -> None:
    """Each item that is found is on one page, sorted by its number."""
    skus = [f"bun-{number:02}" for number in range(25)]
    for sku in skus:
        await shop.offer(sku, "A sweet bun")
    async with shop.browser("oda") as browser:
        first = await browser.open("/shop/?q=sweet+BUN")
        (more,) = re.findall(r'rel="next" href="([^"]+)"', first)
        second = await browser.open(more.replace("&amp;", "&"))

    assert re.findall(r'<a href="/shop/items/([^"]+)"', first + second) == skus


async def test_a_changed_price_is_explained_and_nothing_is_charged(shop: RunningShop) -> None:
    """The customer agreed to one total; at another one nothing is ordered, and both are shown."""
    await shop.offer("nuts-1", "Hazelnuts", price_minor=300)
    async with shop.browser("eve") as browser:
        checkout = await browser.fill_basket("nuts-1")
        await shop.offer("nuts-1", "Hazelnuts", price_minor=350)
        answer = await browser.send(checkout, CHECKOUT, payment_method="pm_visa")

        page = await browser.until_shown(answer.url.path, 'data-state="REJECTED"')
        assert "You agreed to USD 3.00. It would now be USD 3.50" in page
        await browser.send(page, f"{answer.url.path}/again")
        assert "USD 3.50" in await browser.open(CHECKOUT)


async def test_one_checkout_makes_one_order(shop: RunningShop) -> None:
    """A double click, the same form later, and the checkout after a lost answer are one order."""
    async with shop.browser("fay") as browser:
        checkout = await browser.fill_basket("milk-1")
        form = {**form_of(checkout, CHECKOUT), "payment_method": "pm_slow"}
        before = dict(browser.http.cookies)
        clicks = await asyncio.gather(*(browser.http.post(CHECKOUT, data=form) for _ in range(3)))
        late = await browser.http.post(CHECKOUT, data=form)
        # The browser that lost the answer has its old cookie still.
        async with httpx2.AsyncClient(base_url=shop.urls[0], cookies=before, timeout=WAIT_S) as old:
            shown = (await old.get(CHECKOUT)).text
            other = {**form_of(shown, CHECKOUT), "payment_method": "pm_mastercard"}
            refused = await old.post(CHECKOUT, data=other)

        assert len({answer.url.path for answer in (*clicks, late)}) == 1
        assert form_of(shown, CHECKOUT)["request_id"] == form["request_id"]
        assert refused.status_code == 409
        assert "already used for an order" in refused.text
        listed = await shop.breakable.stubs.orders.ListOrders(
            rpc.ListOrdersRequest(customer_id="fay")
        )
        assert len(listed.orders) == 1


async def test_what_cannot_be_ordered_is_said_before(shop: RunningShop) -> None:
    """Too many units lead back to the basket, which says how many there are."""
    async with shop.browser("gus") as browser:
        page = await browser.fill_basket("jam-1", 5)
    assert "There are only 3 of Fig jam left." in page


async def test_somebody_elses_order_is_not_there(shop: RunningShop) -> None:
    """Page, cancel, JSON and stream answer as for an order that doesn't exist."""
    async with shop.browser("hal") as owner, shop.browser("ian") as other:
        order_id = await owner.order("milk-1")
        for path in ("", "/cancel", "/live"):
            await other.open(f"/shop/orders/{order_id}{path}", status=404)
        for path in ("", "/live"):
            url = f"/mobile/v1/orders/{order_id}{path}"
            answer = await other.http.get(url, headers=shop.bearer("ian"))
            assert answer.status_code == 404
            assert answer.json()["code"] == 5


async def test_only_customers_who_signed_in_get_in(shop: RunningShop) -> None:
    """A page leads to the login; a phone without a token, or that of a clerk, is refused."""
    async with httpx2.AsyncClient(base_url=shop.urls[0], timeout=WAIT_S) as stranger:
        page = await stranger.get("/shop/orders")
        nobody = await stranger.get("/mobile/v1/home")
        clerk = await stranger.get("/mobile/v1/home", headers=shop.bearer("carl", "CLERK"))

    assert page.status_code == 303
    assert page.headers["location"].startswith("/shop/login")
    assert (nobody.status_code, clerk.status_code) == (401, 403)


async def test_a_screen_names_what_is_missing(shop: RunningShop) -> None:
    """With payment frozen, home, order and page come in time, with the rest of their parts."""
    async with shop.browser("kim") as browser:
        order_id = await browser.order("milk-1")
        path, headers = f"/shop/orders/{order_id}", shop.bearer("kim")
        await browser.until_shown(path, 'data-state="CONFIRMED"')
        async with frozen(*shop.breakable.slots("payment")):
            began_s = CLOCK.monotonic()
            home = (await browser.http.get("/mobile/v1/home", headers=headers)).json()
            home_s = CLOCK.monotonic() - began_s
            order = (
                await browser.http.get(f"/mobile/v1/orders/{order_id}", headers=headers)
            ).json()
            page = await browser.open(path)

        assert home_s < CALL_S
        assert home["missing"] == {"payments": "DEADLINE_EXCEEDED"}
        assert [each["order_id"] for each in home["orders"]] == [order_id]
        assert order["missing"] == {"payment": "DEADLINE_EXCEEDED"}
        assert order["timeline"][0]["event"] == "OrderPlaced"
        assert order["stock"]["milk-1"] > 0
        assert "at the moment (DEADLINE_EXCEEDED)" in page
        complete = (await browser.http.get("/mobile/v1/home", headers=headers)).json()
        assert complete["missing"] == {}
        assert complete["payments"][order_id]["captured"]["minor_units"] == 250


async def test_a_stream_outlives_the_instances_behind_it(shop: RunningShop) -> None:
    """Both order instances are killed one after the other: no version is lost or told twice."""
    stubs, told = shop.breakable.stubs, list[StreamEvent]()
    async with shop.browser("lea") as browser:
        order_id = await browser.order("milk-1")
        url = f"/mobile/v1/orders/{order_id}/live"
        confirmed, headers = asyncio.Event(), shop.bearer("lea")
        async with open_stream(browser.http, url, **headers) as stream:

            async def follow() -> None:
                async for event in stream.events():
                    told.append(event)
                    if event.content.get("order", {}).get("state") == "CONFIRMED":
                        confirmed.set()

            following = asyncio.create_task(follow())
            async with asyncio.timeout(WAIT_S):
                await confirmed.wait()
                for name in ("order-1", "order-2"):
                    await shop.replace(name)
                fulfil = rpc.FulfillOrderRequest(request_id=shop.new_id(), order_id=order_id)
                order = (await stubs.orders.FulfillOrder(fulfil, timeout=CALL_S)).order
                await following
        async with (
            httpx2.AsyncClient(base_url=shop.urls[1], timeout=WAIT_S) as elsewhere,
            open_stream(elsewhere, url, last_event_id="2", **headers) as stream,
        ):
            rest = [event async for event in stream.events()]

    *versions, end = told
    assert [event.event_id for event in versions] == [
        str(version) for version in range(1, order.version + 1)
    ]
    assert (end.event, end.content) == ("end", {"reason": "FINAL"})
    assert rest == told[2:]
    assert stream.retry_ms > 0


async def test_a_page_stream_tells_what_changes_on_the_page(shop: RunningShop) -> None:
    """It goes on after the version of the page, with the state and one more line of the story."""
    async with shop.browser("mia") as browser:
        order_id = await browser.order("milk-1")
        page = await browser.until_shown(f"/shop/orders/{order_id}", 'data-state="CONFIRMED"')
        (url,) = re.findall(r'hx-sse:connect="([^"]+)"', page)
        async with open_stream(browser.http, url) as stream:
            fulfil = rpc.FulfillOrderRequest(request_id=shop.new_id(), order_id=order_id)
            await shop.breakable.stubs.orders.FulfillOrder(fulfil)
            *told, end = [event async for event in stream.events()]

    assert 'data-state="FULFILLED"' in told[-1].data
    assert "It is on its way to you" in told[-1].data
    assert [event.event for event in told] == ["message"] * len(told)
    assert end.event == "end"


async def test_a_storefront_that_drains_sends_its_streams_elsewhere(shop: RunningShop) -> None:
    """The stream ends soon, without its last event, and goes on at the other storefront."""
    async with shop.browser("nia") as browser:
        order_id = await browser.order("milk-1")
        url, headers = f"/mobile/v1/orders/{order_id}/live", shop.bearer("nia")
        await browser.until_shown(f"/shop/orders/{order_id}", 'data-state="CONFIRMED"')
        async with (
            httpx2.AsyncClient(base_url=shop.urls[1], timeout=WAIT_S) as http,
            open_stream(http, url, **headers) as stream,
        ):
            told = []
            async with asyncio.timeout(WAIT_S):
                async for event in stream.events():
                    told.append(event)
                    if event.content["entry"]["event"] == "OrderConfirmed":
                        shop.storefronts[1].send(signal.SIGTERM)
        async with open_stream(
            browser.http, url, last_event_id=told[-1].event_id, **headers
        ) as stream:
            fulfil = rpc.FulfillOrderRequest(request_id=shop.new_id(), order_id=order_id)
            await shop.breakable.stubs.orders.FulfillOrder(fulfil)
            rest = [event async for event in stream.events()]

    assert [int(event.event_id) for event in (*told, *rest[:-1])] == list(
        range(1, len(told) + len(rest))
    )
    assert rest[-1].event == "end"
