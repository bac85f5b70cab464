"""The report of `./scripts/bench coordination`, as text for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.coordination.coordination_rounds import CoordinationFigures, CoordinationRow
from scripts.benchmarks.shared.caveats import caveats
from scripts.benchmarks.shared.comparison import PERCENTILES, ComparisonPlan
from scripts.benchmarks.shared.machine import MachineConditions
from scripts.benchmarks.shared.medians import as_text

LAG_MAX_MS = 100


@dataclass(frozen=True, slots=True)
class CoordinationReport:
    """The rows of one run, and the conditions of the machine."""

    plan: ComparisonPlan
    rows: Sequence[CoordinationRow]
    conditions: MachineConditions

    def write(self, file: Path) -> None:
        """Write the report to `file` as JSON; docs/benchmarks.md shows its shape."""
        file.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def as_json(self) -> dict[str, Any]:
        """The report as JSON: the fields of CoordinationRow and MachineConditions under their
        names.
        """
        return {
            "conditions": asdict(self.conditions),
            "orders": self.plan.orders,
            "rounds": self.plan.rounds,
            "target_lag_ms": LAG_MAX_MS,
            "rows": [asdict(row) for row in self.rows],
        }

    def show(self, console: Console) -> None:
        """Print the tables and the caveats."""
        console.print(self._speeds())
        console.print(self._work())
        confidences = [row.ratio.confidence for row in self.rows]
        for line in caveats(self.conditions, rounds=self.plan.rounds, confidences=confidences):
            console.print(line)

    def _speeds(self) -> Table:
        title = f"checkouts, {self.plan.rounds} rounds of {self.plan.orders:,} orders a turn"
        latencies = "/".join(f"p{percent}" for percent in PERCENTILES)
        table = Table("", "", "orders/s", f"to CONFIRMED {latencies} ms", "of the 1st", title=title)
        for column in table.columns[2:]:
            column.justify = "right"
        for row in self.rows:
            pairs = (
                ("orchestration", row.orchestration, row.orchestration_ratio),
                ("choreography", row.choreography, row.ratio),
            )
            for name, side, ratio in pairs:
                table.add_row(
                    f"{row.concurrency} at once",
                    name,
                    as_text(side.orders_per_s, ",.0f"),
                    _percentiles(side.latency_ms),
                    as_text(ratio, ".2f"),
                    end_section=side is row.choreography,
                )
        return table

    def _work(self) -> Table:
        lags = "/".join(f"p{percent}" for percent in PERCENTILES)
        table = Table(
            *("", "", "messages", "commits", "cpu ms", f"lag {lags} ms"),
            title="work for an order, and lag of the feeds",
        )
        for column in table.columns[2:]:
            column.justify = "right"
        for row in self.rows:
            for name, side in (
                ("orchestration", row.orchestration),
                ("choreography", row.choreography),
            ):
                table.add_row(
                    f"{row.concurrency} at once",
                    name,
                    *_work(side),
                    end_section=side is row.choreography,
                )
        return table


def _work(side: CoordinationFigures) -> list[str]:
    colour = "green" if side.lag_ms[99] < LAG_MAX_MS else "yellow"
    return [
        f"{side.messages_per_order:.1f}",
        f"{side.commits_per_order['total']:.1f}",
        f"{side.cpu_ms_per_order:.1f}",
        f"[{colour}]{_percentiles(side.lag_ms)}[/]",
    ]


def _percentiles(values: Mapping[int, float]) -> str:
    return "/".join(f"{values[percent]:,.0f}" for percent in PERCENTILES)
