"""The report of `./scripts/bench pages`, as text for people and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from scripts.benchmarks.pages.live_watches import TARGET_KIB, LiveFigures
from scripts.benchmarks.pages.page_reads import AT_ONCE, TARGET_P95_MS, PageFigures
from scripts.benchmarks.shared.caveats import caveats
from scripts.benchmarks.shared.machine import MachineConditions


@dataclass(frozen=True, slots=True)
class PagesReport:
    """The figures of a run, and the conditions of the machine."""

    pages: Sequence[PageFigures]
    live: LiveFigures
    conditions: MachineConditions

    def write(self, file: Path) -> None:
        """Write the report to `file` as JSON: the fields under their names."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")

    def show(self, console: Console) -> None:
        """Print the tables in Markdown, as docs/benchmarks.md has them."""
        for line in caveats(self.conditions, rounds=1, confidences=()):
            console.print(line)
        for line in (*self._pages(), "", *self._live()):
            console.print(line, soft_wrap=True, markup=False)

    def _pages(self) -> Iterator[str]:
        yield "| page | at once | a second | p50/p95/p99, ms | CPU ms | target |"
        yield "|---|---|---|---|---|---|"
        for each in self.pages:
            target = ""
            if each.at_once == AT_ONCE:
                missed = each.latency_ms[95] > TARGET_P95_MS
                target = f"p95 ≤ {TARGET_P95_MS:.0f}{', missed' if missed else ''}"
            yield (
                f"| `{each.page}` | {each.at_once} | {each.rate:.0f} |"
                f" {_slashed(each.latency_ms)} | {sum(each.cpu_ms.values()):.1f} | {target} |"
            )

    def _live(self) -> Iterator[str]:
        yield "| open streams | KiB a stream | together | lag p50/p95/p99, ms | target |"
        yield "|---|---|---|---|---|"
        together = sum(self.live.kib.values())
        missed = ", missed" if together > TARGET_KIB else ""
        parts = ", ".join(
            f"{service} {kib:.0f}" for service, kib in self.live.kib.items() if kib >= 1
        )
        yield (
            f"| {self.live.watches:,} | {parts} | {together:.0f} | {_slashed(self.live.lag_ms)} |"
            f" ≤ {TARGET_KIB:.0f} KiB{missed} |"
        )


def _slashed(values: Mapping[int, float]) -> str:
    return "/".join(f"{value:.0f}" for value in values.values())
