"""The printed table of `./scripts/bench discovery`."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from scripts.benchmarks.discovery.row import DiscoveryRow, Figure
from scripts.benchmarks.shared.medians import MedianEstimate

_COLOURS = {True: "green", False: "red", None: "default"}
_SMALL = 10


def table(rows: Iterable[DiscoveryRow]) -> Table:
    """The table, with a line for each row."""
    found = Table("", "ours", "baseline", "ratio", "baseline again", "target", title="discovery")
    for column in found.columns[1:]:
        column.justify = "right"
    for row in rows:
        colour = _COLOURS[row.ok]
        itself: Any = row.conditions.get("baseline_by_itself")
        found.add_row(
            row.name,
            _text(row.ours) if row.ratio is not None else f"[{colour}]{_text(row.ours)}[/]",
            _text(row.baseline),
            f"[{colour}]{_text(row.ratio)}[/]",
            _text(itself),
            str(row.target),
        )
    return found


def _text(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if isinstance(figure, MedianEstimate):
        return f"{_number(figure.median)} ({_number(figure.low)}-{_number(figure.high)})"
    return _number(figure)


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.3f}" if abs(value) < _SMALL else f"{value:,.0f}"
