"""Runs `./scripts/bench coordination`: starts the suite and measures each concurrency."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from discovery.clock import Clock
from scripts.benchmarks.coordination.coordination_report import CoordinationReport
from scripts.benchmarks.coordination.coordination_rounds import measure, open_instruments
from scripts.benchmarks.coordination.counters import CHANNELZ
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.comparison import ComparisonPlan
from scripts.benchmarks.shared.demand import read_demand
from scripts.benchmarks.shared.measured_suite import open_suite


async def run_coordination(
    plan: ComparisonPlan, folder: Path, *, rng: random.Random, clock: Clock, console: Console
) -> CoordinationReport:
    """Measure both kinds of coordination. Raises StartError and OrderFailedError."""
    before = machine.moment()
    rows = []
    async with AsyncExitStack() as stack:
        status = stack.enter_context(console.status("starting the suite"))
        demand = await asyncio.to_thread(read_demand)
        suite = await stack.enter_async_context(
            open_suite(
                folder / "suite", demand, postgres=False, clock=clock, rng=rng, environment=CHANNELZ
            )
        )
        instruments = await stack.enter_async_context(open_instruments(suite, clock=clock))
        status.update("placing orders")
        async for row in measure(suite.contender(), demand, plan, instruments, rng=rng):
            rows.append(row)
            console.print(f"{row.concurrency} at once: {row.ratio.median:.2f} of orchestration")
    return CoordinationReport(plan, rows, machine.conditions(before, machine.moment()))
