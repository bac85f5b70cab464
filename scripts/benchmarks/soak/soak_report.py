"""The report of `./scripts/bench soak`, as text for people and as JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.shared.machine import MachineConditions
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_run import SoakFindings, SoakPlan

# Growth that is allowed: noise of the allocator, a connection more or less in a sample.
ALLOWED: Mapping[str, float] = MappingProxyType(
    {"memory_kib": 8 * 1024, "tasks": 6, "threads": 2, "files": 6, "objects": 5_000}
)
# In this share of a soak, bounded buffers fill up: windows of 10 s, samples of latencies.
WARM_UP_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of one figure after the warm-up, by a line fitted to its samples."""

    per_minute: float
    in_all: float
    allowed: float

    @property
    def ok(self) -> bool:
        return self.in_all <= self.allowed


def growth(samples: Sequence[SoakSample], name: str) -> Growth:
    """Fit a line (least squares) to the samples after the warm-up."""
    warm = [one for one in samples if one.at_s >= WARM_UP_SHARE * samples[-1].at_s]
    points = [(one.at_s / 60, float(getattr(one, name))) for one in warm]
    middle = sum(at for at, _ in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    slope = sum((at - middle) * value for at, value in points) / spread if spread else 0.0
    return Growth(slope, slope * (points[-1][0] - points[0][0]), ALLOWED[name])


@dataclass(frozen=True, slots=True)
class SoakReport:
    """The plan of a soak, its findings, and the conditions of the machine."""

    plan: SoakPlan
    found: SoakFindings
    conditions: MachineConditions

    @property
    def failures(self) -> Counter[str]:
        """The number of failed calls, by method and error."""
        return sum((Counter(one.failures) for one in self.found.samples), Counter())

    @property
    def calls(self) -> int:
        return sum(one.calls for one in self.found.samples)

    @property
    def growths(self) -> dict[str, Growth]:
        """The growth of each resource, by the field's name in the sample."""
        return {name: growth(self.found.samples, name) for name in ALLOWED}

    @property
    def ok(self) -> bool:
        """Whether no call failed and nothing grew."""
        return not self.failures and all(one.ok for one in self.growths.values())

    def write(self, file: Path) -> None:
        """Write the report to `file` as JSON; docs/benchmarks.md shows its shape."""
        file.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def as_json(self) -> dict[str, Any]:
        """The report as JSON, with the fields of its parts under their names."""
        return {
            "ok": self.ok,
            "plan": asdict(self.plan),
            "calls": self.calls,
            "failed_calls": dict(self.failures),
            "faults": dict(self.found.faults),
            "growth": {name: {**asdict(one), "ok": one.ok} for name, one in self.growths.items()},
            "samples": [asdict(one) for one in self.found.samples],
            "conditions": asdict(self.conditions),
        }

    def show(self, console: Console) -> None:
        """Print the table, the failures and the verdict."""
        console.print(self._table())
        done = ", ".join(f"{count} {fault}" for fault, count in sorted(self.found.faults.items()))
        console.print(f"{self.calls:,} calls at {self.plan.calls_per_s:g}/s; faults: {done}")
        for failure, count in self.failures.most_common():
            console.print(f"[red]failed calls: {count} x {failure}[/red]")
        for name, one in self.growths.items():
            if not one.ok:
                allowed = f"{one.allowed:,.0f}"
                console.print(f"[red]{name} grew by {one.in_all:,.0f}, above {allowed}[/red]")
        now = self.conditions
        console.print(
            f"{now.cores} cores; load {now.load_before:.1f} before, {now.load_after:.1f} after;"
            f" {now.steal_percent:.1f} % stolen"
        )
        verdict = "[green]no call failed, nothing grew" if self.ok else "[red]the soak failed"
        console.print(f"[bold]{verdict}[/]")

    def _table(self) -> Table:
        columns = ("calls", "failed", "p50/p99/max ms", "MiB", *list(ALLOWED)[1:])
        title = f"{self.plan.driver}, {self.plan.instances} instances, seed {self.plan.seed}"
        table = Table("minute", *columns, title=title)
        for column in table.columns:
            column.justify = "right"
        for one in self.found.samples:
            table.add_row(*_row(one), end_section=one is self.found.samples[-1])
        growths = self.growths
        memory, *others = (growths[name].per_minute for name in ALLOWED)
        slopes = (f"{slope:+.2f}" for slope in others)
        table.add_row("a minute", "", "", "", f"{memory / 1024:+.3f}", *slopes)
        return table


def _row(one: SoakSample) -> list[str]:
    return [
        f"{one.at_s / 60:.1f}",
        f"{one.calls:,}",
        f"{sum(one.failures.values())}",
        "/".join(f"{latency_ms:,.0f}" for latency_ms in one.latency_ms.values()),
        f"{one.memory_kib / 1024:.1f}",
        *(f"{getattr(one, name):,}" for name in list(ALLOWED)[1:]),
    ]
