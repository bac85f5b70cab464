"""The report of `./scripts/bench checkout`, as text for people and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.shared.caveats import caveats
from scripts.benchmarks.shared.comparison import PERCENTILES, ComparisonRow, ContenderFigures
from scripts.benchmarks.shared.contender import CALLER
from scripts.benchmarks.shared.machine import MachineConditions
from scripts.benchmarks.shared.medians import as_text
from scripts.benchmarks.statements import statement_table
from scripts.benchmarks.statements.counted_turns import StatementRow

# Threads that take less time for an order are left out of the printed table.
THREAD_MS_MIN = 0.05


@dataclass(frozen=True, slots=True)
class CheckoutReport:
    """The rows of one run, the conditions of the machine, and the counts of statements."""

    rows: Sequence[ComparisonRow]
    conditions: MachineConditions
    statements: Sequence[StatementRow] = ()

    def write(self, file: Path) -> None:
        """Write the rows to `file` as JSON; rows of other names stay there.

        docs/benchmarks.md shows the shape.
        """
        known = {row["name"]: row for row in _read(file)}
        known |= {row["name"]: row for row in self.as_json()}
        file.write_text(json.dumps(list(known.values()), indent=1) + "\n")

    def as_json(self) -> list[dict[str, Any]]:
        """The rows as JSON; `ours` and `baseline` are orders per second, or statements an order."""
        return [self._json_row(row) for row in self.rows] + [
            statement_table.as_json(row) for row in self.statements
        ]

    def _json_row(self, row: ComparisonRow) -> dict[str, Any]:
        return {
            "name": row.name,
            "ours": row.ours.orders_per_s.median,
            "baseline": row.baseline.orders_per_s.median,
            "ratio": row.ratio.median,
            "target": row.claim.target,
            "ok": row.ok,
            "conditions": {
                "concurrency": row.concurrency,
                "orders": row.orders,
                "rounds": row.rounds,
                "ratio": asdict(row.ratio),
                "baseline_ratio": asdict(row.baseline_ratio),
                "ours_ratio": asdict(row.ours_ratio) if row.ours_ratio else None,
                "ours": asdict(row.ours),
                "baseline": asdict(row.baseline),
                **asdict(self.conditions),
            },
        }

    def show(self, console: Console) -> None:
        """Print the tables and the caveats."""
        console.print(self._speeds())
        console.print(self._costs())
        if self.statements:
            console.print(statement_table.as_table(self.statements))
        confidences = [row.ratio.confidence for row in self.rows]
        rounds = min((row.rounds for row in self.rows), default=0)
        for line in caveats(self.conditions, rounds=rounds, confidences=confidences):
            console.print(line)

    def _speeds(self) -> Table:
        latencies = "/".join(f"p{percent}" for percent in PERCENTILES)
        columns = ("", "", "orders/s", f"{latencies} ms", "ratio", "by itself", "target")
        table = Table(*columns, title="checkouts")
        for column in table.columns[2:]:
            column.justify = "right"
        for row in self.rows:
            colour = "green" if row.ok else "yellow"
            ratio = f"[{colour}]{as_text(row.ratio, '.2f')}[/]"
            again = as_text(row.ours_ratio, ".2f") if row.ours_ratio else ""
            claim = row.claim
            target = f"{claim.target:g}"
            table.add_row(claim.title, claim.ours, *_speed(row.ours), ratio, again, target)
            where, other = f"{row.concurrency} at once", _speed(row.baseline)
            again = as_text(row.baseline_ratio, ".2f")
            table.add_row(where, claim.baseline, *other, "", again, end_section=True)
        return table

    def _costs(self) -> Table:
        title = "processor time per order, ms, and processors kept busy while idle"
        table = Table("", "", "total", "of which", "idle", title=title)
        for row in self.rows:
            claim = row.claim
            table.add_row(claim.title, claim.ours, *_cost(row.ours))
            where = f"{row.concurrency} at once"
            table.add_row(where, claim.baseline, *_cost(row.baseline), end_section=True)
        return table


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = json.loads(file.read_text())
    except FileNotFoundError:
        return []
    return rows


def _speed(side: ContenderFigures) -> list[str]:
    latencies = "/".join(f"{side.latency_ms[percent]:,.0f}" for percent in PERCENTILES)
    return [as_text(side.orders_per_s, ",.0f"), latencies]


def _cost(side: ContenderFigures) -> list[str]:
    """The total, each service and the caller with their threads, and the use while idle."""
    costs = side.cpu_ms_per_order
    services = [
        f"{name} {costs[name]:.2f}" + _threads(side.thread_ms_per_order[name])
        for name in sorted(side.thread_ms_per_order, key=lambda name: (name == CALLER, name))
    ]
    return [f"{costs['total']:.2f}", "\n".join(services), f"{side.idle_cores:.2f}"]


def _threads(threads_ms: dict[str, float]) -> str:
    by_time = sorted(threads_ms.items(), key=lambda thread: -thread[1])
    texts = [f"{name} {spent_ms:.2f}" for name, spent_ms in by_time if spent_ms >= THREAD_MS_MIN]
    return f" ({', '.join(texts)})" if len(texts) > 1 else ""
