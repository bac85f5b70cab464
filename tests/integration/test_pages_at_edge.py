"""The shop and the console of a whole suite in a real browser, open and secure."""

import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from scripts.suite.secure.call_graph import CONSOLE, STOREFRONT
from scripts.suite.secure.credentials import Tls
from tests.support.browser.browser_page import module_browser, module_page, opened_page
from tests.support.browser.inspection import screenshots, scrolls_sideways, serious_faults
from tests.support.suite.suite_pages import PagesAtEdge, suite_pages

__all__ = ["module_browser", "module_page"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = "open"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[OPEN, Tls.CONSUL])
async def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PagesAtEdge]:
    """The suite, which all tests share."""
    tls = None if request.param == OPEN else Tls(request.param)
    async with suite_pages(tmp_path_factory.mktemp("pages"), tls) as started:
        yield started


async def test_a_customer_logs_in_and_out(shop: PagesAtEdge, module_page: Page) -> None:
    """A customer comes over the login to a page that knows them, until they log out."""
    await module_page.goto(shop.edge.url)
    await shop.log_in(module_page, STOREFRONT, "ann customer")
    assert "ann" in await module_page.inner_text("header")

    async with module_page.expect_response("**/logout"):
        await module_page.locator("form[action$='/logout'] button").click()
    await module_page.goto(f"{shop.pages.url(STOREFRONT)}/")
    header = module_page.locator("header")
    assert not await header.count() or "ann" not in await header.inner_text()


async def test_an_operator_logs_in_at_the_console(shop: PagesAtEdge, module_page: Page) -> None:
    """The console shows operators what the services answer them."""
    await shop.log_in(module_page, CONSOLE, "olga operator")

    assert "olga" in await module_page.inner_text("header")


async def test_a_customer_is_no_operator(shop: PagesAtEdge, module_page: Page) -> None:
    """The console refuses a person without the role, whichever application they logged in at."""
    await module_page.goto(f"{shop.pages.url(CONSOLE)}/login")
    async with module_page.expect_response(lambda answer: answer.status == 403):
        await module_page.get_by_role("button", name="ann customer").click()


async def test_a_session_survives_a_killed_instance(shop: PagesAtEdge, module_page: Page) -> None:
    """Another instance knows the person, and the next page comes as if nothing had happened."""
    await shop.log_in(module_page, STOREFRONT, "ben customer")
    killed = next(each for each in shop.pages.instances if each.service == STOREFRONT)
    before = await shop.suite.instances(STOREFRONT)

    await killed.stop(signal.SIGKILL)
    answer = await module_page.reload()
    await shop.start_again(killed, before)

    assert answer is not None
    assert answer.status == 200
    assert "ben" in await module_page.inner_text("header")


async def test_the_login_can_be_used_by_everybody(shop: PagesAtEdge, module_page: Page) -> None:
    """It has no accessibility fault, and fits on a phone."""
    await module_page.goto(f"{shop.pages.url(STOREFRONT)}/login")

    await screenshots(module_page, "login")
    assert await serious_faults(module_page) == []
    assert await scrolls_sideways(module_page) == []


async def test_two_people_have_two_sessions(shop: PagesAtEdge, module_browser: Browser) -> None:
    """One browser's cookie says nothing about another's."""
    async with opened_page(module_browser) as one, opened_page(module_browser) as other:
        await shop.log_in(one, STOREFRONT, "ann customer")
        await shop.log_in(other, STOREFRONT, "ben customer")
        await one.reload()

        assert "ann" in await one.inner_text("header")
        assert "ben" in await other.inner_text("header")
