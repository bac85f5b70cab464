"""Reads the metrics of a process as Prometheus does."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.request import urlopen

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from discovery.clock import SystemClock
from tests.support.limits import WAIT_S

_ASK_AGAIN_S = 0.2
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape has read."""

    families: Mapping[str, Metric]

    def values(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        """The values of a time series' name, by their other labels, in the order of the keys.

        `labels` are those that the values must have. A service's name is left out.
        """
        return {
            tuple(
                value
                for key, value in sorted(sample.labels.items())
                if key != "service_name" and key not in labels
            ): sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The only value with these labels; None if there is none."""
        found = self.values(name, **labels)
        assert len(found) <= 1, found
        return next(iter(found.values()), None)


def scraped(port: int) -> Scrape:
    """Read all metrics; blocks."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_S) as answer:
        text = answer.read().decode()
    return Scrape({family.name: family for family in text_string_to_metric_families(text)})


async def scrape(port: int) -> Scrape:
    """Read all metrics, as a process of its own would: not on the loop that serves them."""
    return await asyncio.to_thread(scraped, port)


async def scraped_once(port: int, shows: Callable[[Scrape], bool]) -> Scrape:
    """Read again and again until the metrics show what is waited for."""
    async with asyncio.timeout(WAIT_S):
        while not shows(found := await scrape(port)):
            await _CLOCK.sleep(_ASK_AGAIN_S)
    return found
