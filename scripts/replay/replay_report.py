"""The report of a replay, as text for people and as JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scripts.replay.books.equation import Equation
from scripts.replay.books.printing import show_books
from scripts.replay.faults.fault_plan import Fault
from scripts.replay.observations import Observations

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The figures of a replay. `elapsed_s` is from the first order to the last settled one."""

    observations: Observations
    elapsed_s: float
    faults: Mapping[Fault, int]
    books: Sequence[Equation]
    needs_review: int

    @property
    def balanced(self) -> bool:
        """Whether every equation holds; failed calls and violations are equations, too."""
        return all(line.ok for line in self.books)

    @property
    def orders_per_s(self) -> float:
        return len(self.observations.outcomes) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def latency_ms(self, percentile: int) -> float:
        """A percentile (nearest rank) of the time from the first call to the settled answer."""
        latencies_s = sorted(outcome.latency_s for outcome in self.observations.outcomes)
        if not latencies_s:
            return 0.0
        rank = max(0, -(-len(latencies_s) * percentile // 100) - 1)
        return 1_000 * latencies_s[rank]

    def as_json(self) -> dict[str, Any]:
        """The report as JSON; docs/benchmarks.md shows its shape."""
        outcomes = Counter(outcome.state for outcome in self.observations.outcomes)
        return {
            "orders": len(self.observations.outcomes),
            "outcomes": dict(sorted(outcomes.items())),
            "orders_per_s": round(self.orders_per_s, 1),
            "latency_ms": {f"p{rank}": round(self.latency_ms(rank), 1) for rank in PERCENTILES},
            "faults": {fault.name.lower(): self.faults.get(fault, 0) for fault in Fault},
            "reads": self.observations.reads.total(),
            "repeated_at_edge": dict(sorted(self.observations.repeated_at_edge.items())),
            "failed_calls": dict(sorted(self.observations.failed_calls.items())),
            "first_details": dict(sorted(self.observations.first_details.items())),
            "books": [
                {
                    "name": line.name,
                    "left": line.left,
                    "right": line.right,
                    "ok": line.ok,
                    # Amounts are in its minor units; empty for counts.
                    "currency": line.currency,
                    "ids": list(line.ids),
                }
                for line in self.books
            ],
        }

    def write(self, file: Path) -> None:
        """Write the report to `file` as JSON."""
        file.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def show(self, console: Console, *, dropped: Mapping[str, int]) -> None:
        """Print the report; `dropped` counts the data that were dropped, by reason."""
        console.print(self._outcomes())
        show_books(console, self.books)
        for what, count in dropped.items():
            if count:
                console.print(f"dropped from the data: {count:,} {what}")
        for fault, count in self.faults.items():
            console.print(f"{fault.value}: {count:,}")
        console.print(
            f"reads during the replay: {self.observations.reads.total():,},"
            f" {self.observations.resumed_watches:,} watches resumed on another stream"
        )
        for method, count in sorted(self.observations.repeated_at_edge.items()):
            console.print(f"repeated at the edge, because nobody answered: {method}: {count:,}")
        for call, count in sorted(self.observations.failed_calls.items()):
            first = self.observations.first_details[call]
            console.print(f"[red]failed calls: {call}: {count:,}; the first: {escape(first)}[/red]")
        for violation in self.observations.violations:
            console.print(f"[red]{violation}[/red]")
        ranks = ", ".join(f"p{rank} {self.latency_ms(rank):,.0f} ms" for rank in PERCENTILES)
        console.print(
            f"{len(self.observations.outcomes):,} orders in {self.elapsed_s:,.1f} s: "
            f"[bold]{self.orders_per_s:,.0f} orders/s[/bold]; to settled: {ranks}"
        )
        if self.needs_review:
            console.print(f"[yellow]{self.needs_review} orders need review[/yellow]")
        verdict = "[green]the books balance" if self.balanced else "[red]the books do not balance"
        console.print(f"[bold]{verdict}[/]")

    def _outcomes(self) -> Table:
        table = Table("state", "reason", "orders", title="outcomes of the orders")
        table.columns[2].justify = "right"
        pairs = Counter((one.state, one.reason) for one in self.observations.outcomes)
        for (state, reason), count in sorted(pairs.items()):
            table.add_row(state, reason.replace("_", " ").lower(), f"{count:,}")
        return table
