"""The report of `./scripts/bench retention`, as text for people and as JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.shared.machine import MachineConditions

# Tables that an order adds less than this to are left out.
_BYTES_MIN = 1.0
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class StoredSample:
    """The bytes of each table ("order.event") after so many orders."""

    orders: int
    at_s: float
    tables: Mapping[str, int]

    @property
    def services(self) -> Mapping[str, int]:
        """The bytes of each service's database."""
        total: Counter[str] = Counter()
        for table, number in self.tables.items():
            total[table.partition(".")[0]] += number
        return total


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """The samples of a run, the bytes of the archive, and the conditions of the machine."""

    orders: int
    keep_s: float | None
    samples: Sequence[StoredSample]
    archived: int
    conditions: MachineConditions

    def write(self, file: Path) -> None:
        """Write the report to `file` as JSON: the fields under their names."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")

    def show(self, console: Console) -> None:
        """Print how the databases grew; without a retention, what an order leaves in each table."""
        console.print(self._growth())
        if self.keep_s is None:
            console.print(self._of_an_order())
        else:
            each = self.archived / self.orders
            console.print(
                f"archive: {self.archived / _MEGABYTE:,.1f} MB, {each:,.0f} bytes an order"
            )

    def _growth(self) -> Table:
        kept = "no retention" if self.keep_s is None else f"kept for {self.keep_s:g} s"
        services = sorted(self.samples[0].services)
        table = Table("orders", *(f"{each} MB" for each in services), title=kept)
        for sample in self.samples:
            megabytes = (f"{sample.services[each] / _MEGABYTE:,.1f}" for each in services)
            table.add_row(f"{sample.orders:,}", *megabytes)
        return table

    def _of_an_order(self) -> Table:
        first, last = self.samples[0].tables, self.samples[-1].tables
        grown = {name: (last[name] - first.get(name, 0)) / self.orders for name in last}
        table = Table("table", "bytes an order")
        for name, number in sorted(grown.items(), key=lambda each: -each[1]):
            if number >= _BYTES_MIN:
                table.add_row(name, f"{number:,.0f}")
        table.add_row("together", f"{sum(grown.values()):,.0f}")
        return table
