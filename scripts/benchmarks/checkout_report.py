"""What a person and a program get to see of `scripts/bench checkout`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.checkout import PERCENTILES, Plan, Row, Side
from scripts.benchmarks.estimates import as_text
from scripts.benchmarks.machine import Conditions
from scripts.benchmarks.remarks import remarks

TARGET_RATIO = 0.7
SERVICES = ("order", "inventory", "payment", "total", "caller")


@dataclass(frozen=True, slots=True)
class CheckoutReport:
    """A whole run."""

    plan: Plan
    rows: Sequence[Row]
    conditions: Conditions

    def write(self, file: Path) -> None:
        """Write it to `file` as JSON; its shape is part of the README."""
        file.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def as_json(self) -> dict[str, Any]:
        """The fields of `Row` and `Conditions` under their names, units last."""
        return {
            "conditions": asdict(self.conditions),
            "orders": self.plan.orders,
            "rounds": self.plan.rounds,
            "target_ratio": TARGET_RATIO,
            "rows": [asdict(row) for row in self.rows],
        }

    def show(self, console: Console) -> None:
        """Print the person's view."""
        console.print(self._speeds())
        console.print(self._costs())
        for line in self.remarks():
            console.print(line)

    def _speeds(self) -> Table:
        title = f"checkouts, {self.plan.rounds} rounds of {self.plan.orders:,} orders a turn"
        latencies = "/".join(f"p{percent}" for percent in PERCENTILES)
        table = Table("", "", "orders/s", f"{latencies} ms", "of the floor", title=title)
        for column in table.columns[2:]:
            column.justify = "right"
        for row in self.rows:
            colour = "green" if row.ratio.median >= TARGET_RATIO else "yellow"
            ours = f"[{colour}]{as_text(row.ratio, '.2f')}[/]"
            floors = as_text(row.floor_ratio, ".2f")
            table.add_row(f"{row.concurrency} at once", "suite", *_speed(row.suite), ours)
            table.add_row(_stored(row), "floor", *_speed(row.floor), floors, end_section=True)
        return table

    def _costs(self) -> Table:
        title = "processor time per order, ms, and processors kept busy while idle"
        table = Table("", "", *SERVICES, "idle", title=title)
        for column in table.columns[2:]:
            column.justify = "right"
        for row in self.rows:
            table.add_row(f"{row.concurrency} at once", "suite", *_cost(row.suite))
            table.add_row(_stored(row), "floor", *_cost(row.floor), end_section=True)
        return table

    def remarks(self) -> list[str]:
        """What a reader of the figures must know about this run."""
        confidences = [row.ratio.confidence for row in self.rows]
        return remarks(self.conditions, rounds=self.plan.rounds, confidences=confidences)


def _stored(row: Row) -> str:
    return f"{row.stored:,} stored" if row.stored else ""


def _speed(side: Side) -> list[str]:
    latencies = "/".join(f"{side.latency_ms[percent]:,.0f}" for percent in PERCENTILES)
    return [as_text(side.orders_per_s, ",.0f"), latencies]


def _cost(side: Side) -> list[str]:
    costs = [f"{side.cpu_ms_per_order[name]:.2f}" for name in SERVICES]
    return [*costs, f"{side.idle_cores:.2f}"]
