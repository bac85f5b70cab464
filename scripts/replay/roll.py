"""Rolls the suite from an older version to this checkout and back, while orders are placed.

A roll is what an operator does with every release, and again where a release turns out to be bad.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from discovery.clock import Clock
from scripts.replay.faults.fault_plan import Fault, plan_roll
from scripts.replay.observations import Observations
from scripts.replay.order_plan import PlannedOrder
from scripts.replay.replay_report import ReplayReport
from scripts.replay.replay_run import replay_orders
from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge
from scripts.suite.processes.slot import THIS_INSTALLATION
from services.console.reading.stubs import Stubs

THERE, BACK = "there", "back"


async def roll_there_and_back(
    suite: Cluster,
    stubs: Stubs,
    orders: Sequence[PlannedOrder],
    *,
    concurrency: int,
    clock: Clock,
    rng: random.Random,
    edge: SuiteEdge | None = None,
    on_order_done: Callable[[Observations], None] = lambda _: None,
    on_fault: Callable[[str], None] = lambda _: None,
) -> ReplayReport:
    """Roll a suite of another version to this checkout with half of the orders, and back.

    The books are checked after each way; if they don't balance, there is no way back. A service
    that only this checkout has is not rolled. Raises StartError when an instance doesn't start.
    """
    rolled = [slot for slot in suite.slots if slot.programs != THIS_INSTALLATION]
    older, half = rolled[0].programs, len(orders) // 2
    ways = {THERE: (THIS_INSTALLATION, orders[:half]), BACK: (older, orders[half:])}
    names = [slot.name for slot in rolled]
    observed = Observations()
    reports: dict[str, ReplayReport] = {}
    for way, (programs, part) in ways.items():
        reports[way] = await replay_orders(
            suite,
            stubs,
            part,
            concurrency=concurrency,
            clock=clock,
            rng=rng,
            disruptions=plan_roll(names, programs, rng),
            edge=edge,
            observations=observed,
            on_order_done=on_order_done,
            on_fault=on_fault,
        )
        if not reports[way].balanced:
            break
        # Said now, because a way back that is refused has no report.
        on_fault(f"every rolled instance runs {programs.name}, and the books balance")
    return _of_all(reports)


def _of_all(reports: Mapping[str, ReplayReport]) -> ReplayReport:
    """One report of all ways; the equations of each say whose they are."""
    faults: Counter[Fault] = Counter()
    for report in reports.values():
        faults.update(report.faults)
    *_, last = reports.values()
    return ReplayReport(
        observations=last.observations,
        elapsed_s=sum(report.elapsed_s for report in reports.values()),
        faults=faults,
        books=[
            replace(line, name=f"{way}: {line.name}")
            for way, report in reports.items()
            for line in report.books
        ],
        needs_review=last.needs_review,
    )
