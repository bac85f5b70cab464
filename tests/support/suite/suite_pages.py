"""A whole suite with its shop, console, login and edge, as `./scripts/run --stay` starts it."""

import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.async_api import Page

from discovery.clock import SystemClock
from discovery.registry.instance import Instance
from scripts.suite import cluster
from scripts.suite.baskets import Product
from scripts.suite.consul import free_ports
from scripts.suite.edge import SuiteEdge, running_edge
from scripts.suite.items import create_items
from scripts.suite.secure.credentials import Tls
from scripts.suite.slot import ProcessSlot
from scripts.suite.stubs import open_stubs
from scripts.suite.web.applications import EDGE_SETTINGS
from scripts.suite.web.running_pages import SuitePages, running_pages


@dataclass(frozen=True, slots=True)
class PagesAtEdge:
    """The running suite, its web applications, and the edge that browsers open."""

    suite: cluster.Cluster
    pages: SuitePages
    edge: SuiteEdge

    async def start_again(self, slot: ProcessSlot, before: Collection[Instance]) -> None:
        """Start an instance that was killed; `before` are those that were registered then."""
        await slot.start()
        await replace(self.suite, slots=[slot]).wait_registered(replaced=before)

    async def log_in(self, page: Page, application: str, person: str) -> None:
        """Open an application, and log in there as a person whom the login suggests."""
        await page.goto(f"{self.pages.url(application)}/login")
        await page.get_by_role("button", name=person).click()
        await page.wait_for_url(f"{self.pages.url(application)}/**")


@asynccontextmanager
async def suite_pages(folder: Path, tls: Tls | None = None) -> AsyncIterator[PagesAtEdge]:
    """Start all of it, with tea in stock."""
    clock, rng, (port,) = SystemClock(), random.Random(1), free_ports(1)
    async with (
        cluster.running(folder, instances=1, clock=clock, rng=rng, secure=tls) as suite,
        open_stubs(suite) as stubs,
        running_pages(suite, folder, edge_port=port) as pages,
        running_edge(suite, folder, EDGE_SETTINGS, port=port) as edge,
    ):
        tea = Product(sku="tea", name="Tea", price_minor=250)
        await create_items(stubs.inventory, {"tea": tea}, {"tea": 1_000}, rng=rng)
        yield PagesAtEdge(suite, pages, edge)
