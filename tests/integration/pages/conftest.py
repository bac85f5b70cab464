"""One secure suite with its shop, console, login and edge, and one browser, for all these files."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from scripts.suite.baskets import Product
from scripts.suite.items import create_items
from scripts.suite.secure.credentials import Tls
from tests.support.browser.browser_page import running_browser
from tests.support.suite.breakable_suite import INSTANCES, SETTINGS
from tests.support.suite.suite_pages import PagesAtEdge, suite_pages

SHELF = {
    "bread": Product("bread", "Rye bread", 420),
    "butter": Product("butter", "Salted butter", 349),
    "figs": Product("figs", "Dried figs, 500 g", 690),
    "lamp": Product("lamp", "Reading lamp", 4_500),
    "oats": Product("oats", "Rolled oats", 189),
    "honey": Product("honey", "Heather honey from the moors, unfiltered, 250 g", 1_150),
}
UNITS = {"bread": 400, "butter": 120, "figs": 60, "lamp": 3, "oats": 0, "honey": 35}
# Nothing that is held up for a while is given up, and operators see soon what is held up.
PATIENT = {
    "TRADEPOST_SAGA_DEADLINE_S": "900",
    "TRADEPOST_SAGA_HOLD_TTL_S": "1200",
    "TRADEPOST_SAGA_CAPTURE_BUDGET_S": "900",
    "TRADEPOST_SAGA_REVIEW_AFTER_S": "2",
}


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PagesAtEdge]:
    """The suite, with a small grocery's shelf; a test that breaks something repairs it."""
    folder = tmp_path_factory.mktemp("pages")
    async with suite_pages(
        folder, Tls.FILES, instances=INSTANCES, environment={**SETTINGS, **PATIENT}
    ) as started:
        await create_items(started.stubs.inventory, SHELF, UNITS, rng=random.Random(2))
        yield started


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser; each page in it is that of another person."""
    async with running_browser() as started:
        yield started
