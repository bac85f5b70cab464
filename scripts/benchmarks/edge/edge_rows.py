"""The rows of the edge, and their tables as docs/benchmarks.md has them."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any

from scripts.benchmarks.discovery.bench import DiscoveryBench
from scripts.benchmarks.discovery.row import DiscoveryRow, Figure, Target
from scripts.benchmarks.edge.measured_edge import MeasuredEdge
from scripts.benchmarks.edge.ways import TITLES, WAYS
from scripts.benchmarks.shared.medians import MedianEstimate

EdgeMeasurement = Callable[
    [DiscoveryBench, MeasuredEdge], Coroutine[Any, Any, Sequence[DiscoveryRow]]
]
_HEAD = ("measure", "edge", "baseline", "ratio", "baseline by itself", "target")
_WAYS_HEAD = ("measure", *(TITLES[way] for way in WAYS), "target")
_LARGE, _MIDDLE = 100, 10


def row_of_way(
    measure: str,
    way: str,
    ours: Figure,
    target: Target,
    conditions: Mapping[str, Any],
    *,
    baseline: Figure | None = None,
    ratio: Figure | None = None,
) -> DiscoveryRow:
    """The row of one way to find an instance; rows of a measure make a line of the table."""
    return DiscoveryRow(
        f"{measure}: {TITLES[way]}",
        ours=ours,
        target=target,
        baseline=baseline,
        ratio=ratio,
        conditions={**conditions, "measure": measure, "way": way},
    )


def tables_of(rows: Iterable[DiscoveryRow]) -> str:
    """The rows in Markdown: a table of the ways to find an instance, and one of the others."""
    by_measure: dict[str, dict[str, DiscoveryRow]] = {}
    others: list[DiscoveryRow] = []
    for row in rows:
        if "way" in row.conditions:
            by_measure.setdefault(row.conditions["measure"], {})[row.conditions["way"]] = row
        else:
            others.append(row)
    lines = [line for found in by_measure.items() for line in _lines_of_ways(*found)]
    tables = ((_WAYS_HEAD, lines), (_HEAD, [_cells(row) for row in others]))
    return "\n\n".join(_table(head, lines) for head, lines in tables if lines)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *lines))


def _lines_of_ways(measure: str, rows: Mapping[str, DiscoveryRow]) -> Iterator[Sequence[str]]:
    """The figures, and the ratios to the client side where there are any."""
    found = [rows[way] for way in WAYS]
    target = found[0].target
    missed = any(row.ok is False for row in found)
    yield (measure, *(_text(row.ours) for row in found), f"{_target(target, missed=missed)}")
    if any(row.ratio is not None for row in found):
        yield ("by the client side's", *(_text(row.ratio) for row in found), "report")


def _cells(row: DiscoveryRow) -> Sequence[str]:
    figures = (row.ours, row.baseline, row.ratio, row.conditions.get("baseline_by_itself"))
    target = _target(row.target, missed=row.ok is False)
    return (row.name, *(_text(figure) for figure in figures), target)


def _target(target: Target, *, missed: bool) -> str:
    text = str(target).replace("<=", "≤").replace(">=", "≥")
    return f"{text}, missed" if missed else text


def _text(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if isinstance(figure, MedianEstimate):
        return f"{_number(figure.median)} ({_number(figure.low)}-{_number(figure.high)})"
    return _number(figure)


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= _MIDDLE else f"{value:,.3g}"
