"""Runs `./scripts/bench pages` on one suite: the pages first, while nobody follows an order."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from discovery.clock import Clock
from scripts.benchmarks.pages.live_watches import watch_orders
from scripts.benchmarks.pages.measured_pages import measured_pages
from scripts.benchmarks.pages.page_reads import read_pages
from scripts.benchmarks.pages.pages_report import PagesReport
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.demand import read_demand


@dataclass(frozen=True, slots=True)
class PagesPlan:
    """Requests for each page, orders of the customer, and streams that follow them at once."""

    requests: int
    orders: int
    watches: int


async def run_pages(
    plan: PagesPlan, folder: Path, *, rng: random.Random, clock: Clock
) -> PagesReport:
    """Measure. Raises StartError, OrderFailedError and AioRpcError."""
    before = machine.moment()
    demand = await asyncio.to_thread(read_demand)
    async with measured_pages(folder, demand, orders=plan.orders, clock=clock, rng=rng) as measured:
        pages = await read_pages(measured, requests=plan.requests, clock=clock)
        live = await watch_orders(measured, watches=plan.watches, rng=rng, clock=clock)
    return PagesReport(pages, live, machine.conditions(before, machine.moment()))
