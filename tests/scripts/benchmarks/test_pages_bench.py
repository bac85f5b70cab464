"""`./scripts/bench pages` with few requests: what it measures, never how fast it is."""

import random
from pathlib import Path

from discovery.clock import SystemClock
from scripts.benchmarks.pages.page_reads import AT_ONCE, PERCENTILES
from scripts.benchmarks.pages.pages_run import PagesPlan, run_pages

REQUESTS, ORDERS, WATCHES = 4, 2, 8
# Each order that is shipped tells two versions.
TOLD = 2


async def test_pages_and_streams_are_measured(tmp_path: Path) -> None:
    """Every page is asked for by one person and by several; every stream tells what happens."""
    plan = PagesPlan(REQUESTS, ORDERS, WATCHES)
    report = await run_pages(plan, tmp_path, rng=random.Random(1), clock=SystemClock())

    assert {each.page.split("/")[1] for each in report.pages} == {"shop", "mobile", "console"}
    assert [each.at_once for each in report.pages[:2]] == [1, AT_ONCE]
    assert all(set(each.latency_ms) == set(PERCENTILES) for each in report.pages)
    assert all(sum(each.cpu_ms.values()) > 0 for each in report.pages)
    assert {"storefront", "order", "edge"} < set(report.live.kib)
    assert report.live.told == TOLD * WATCHES
    assert min(report.live.lag_ms.values()) > 0
