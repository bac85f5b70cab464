"""A whole suite with its shop, console, login and edge, as `./scripts/run --stay` starts it."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Collection, Mapping
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
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.secure.credentials import Tls
from scripts.suite.stubs import open_stubs
from scripts.suite.web.applications import EDGE_SETTINGS
from scripts.suite.web.running_pages import SuitePages, running_pages
from services.console.reading.stubs import Stubs
from tests.support.suite.breakable_suite import BreakableSuite


@dataclass(frozen=True, slots=True)
class PagesAtEdge:
    """The running suite, its web applications, and the edge that browsers open."""

    suite: cluster.Cluster
    pages: SuitePages
    edge: SuiteEdge
    stubs: Stubs

    @property
    def breakable(self) -> BreakableSuite:
        """The suite behind the pages."""
        return BreakableSuite(self.suite, self.stubs)

    def instances_of(self, application: str) -> list[ProcessSlot]:
        """The slots of an application."""
        return [slot for slot in self.pages.instances if slot.service == application]

    def bearer(self, customer_id: str) -> dict[str, str]:
        """The header of a customer's phone; without effect in a suite that knows nobody."""
        return dict(self.suite.caller_metadata(customer_id, "CUSTOMER"))

    async def kill(self, *slots: ProcessSlot) -> None:
        """Kill instances at once (SIGKILL); return when others are registered in their slots."""
        before = [one for slot in slots for one in await self.suite.instances(slot.service)]
        await asyncio.gather(*(slot.stop(signal.SIGKILL) for slot in slots))
        for slot in slots:
            await slot.start()
        await replace(self.suite, slots=slots).wait_registered(replaced=before)

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
async def suite_pages(
    folder: Path,
    tls: Tls | None = None,
    *,
    instances: int = 1,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[PagesAtEdge]:
    """Start all of it, with tea in stock; `instances` of each service, with these settings."""
    clock, rng, (port,) = SystemClock(), random.Random(1), free_ports(1)
    async with (
        cluster.running(
            folder,
            instances=instances,
            clock=clock,
            rng=rng,
            environment=environment,
            secure=tls,
        ) as suite,
        open_stubs(suite) as stubs,
        running_pages(suite, folder, edge_port=port) as pages,
        running_edge(suite, folder, EDGE_SETTINGS, port=port) as edge,
    ):
        tea = Product(sku="tea", name="Tea", price_minor=250)
        await create_items(stubs.inventory, {"tea": tea}, {"tea": 1_000}, rng=rng)
        yield PagesAtEdge(suite, pages, edge, stubs)
