"""How long pages take when twenty people ask at once, each again as soon as it has its page."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from discovery.clock import Clock
from scripts.benchmarks.pages.measured_pages import OK, MeasuredPages, one_failure
from scripts.benchmarks.shared.medians import percentile
from scripts.suite.run_folder import StartError

AT_ONCE = 20
TARGET_P95_MS = 100.0
PERCENTILES = (50, 95, 99)
_PAGES = (
    "/shop/",
    "/shop/items/{sku}",
    "/shop/orders",
    "/shop/orders/{order}",
    "/mobile/v1/home",
    "/mobile/v1/orders/{order}",
    "/console/overview",
    "/console/orders",
    "/console/orders/{order}",
    "/console/stock",
    "/console/audit",
)


@dataclass(frozen=True, slots=True)
class PageFigures:
    """One page: requests a second, their ms by percentile, and CPU ms of each by service."""

    page: str
    at_once: int
    rate: float
    latency_ms: Mapping[int, float]
    cpu_ms: Mapping[str, float]


async def read_pages(measured: MeasuredPages, *, requests: int, clock: Clock) -> list[PageFigures]:
    """Ask for each page so often, by one person and by `AT_ONCE`. Raises StartError."""
    return [
        await _read(measured, page, at_once, requests, clock)
        for page in _PAGES
        for at_once in (1, AT_ONCE)
    ]


async def _read(
    measured: MeasuredPages, page: str, at_once: int, requests: int, clock: Clock
) -> PageFigures:
    headers = measured.phone if page.startswith("/mobile") else {}
    took_ms: list[float] = []

    async def ask(paths: Iterator[str]) -> None:
        for path in paths:
            began_s = clock.monotonic()
            async with measured.http.get(path, headers=headers, allow_redirects=False) as answer:
                text = await answer.text()
            if answer.status != OK:
                raise StartError(f"GET {path} was answered {answer.status}: {text[-500:]}")
            took_ms.append(1_000 * (clock.monotonic() - began_s))

    paths = (
        page.format(
            sku=measured.skus[number % len(measured.skus)],
            order=measured.orders[number % len(measured.orders)],
        )
        for number in range(requests)
    )
    began_s, before_s = clock.monotonic(), measured.spent_s()
    async with one_failure(), asyncio.TaskGroup() as people:
        for _ in range(at_once):
            people.create_task(ask(paths))
    after_s = measured.spent_s()
    return PageFigures(
        page,
        at_once,
        rate=requests / (clock.monotonic() - began_s),
        latency_ms={each: percentile(took_ms, each) for each in PERCENTILES},
        cpu_ms={each: 1_000 * (after_s[each] - before_s[each]) / requests for each in after_s},
    )
