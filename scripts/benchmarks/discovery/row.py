"""A row of the results: the figure, its baseline, and its target."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.benchmarks.shared.medians import MedianEstimate

# A median with its interval, or a count.
Figure = MedianEstimate | float


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a figure: `most` or `least`; with neither, the figure is only reported."""

    most: float | None = None
    least: float | None = None

    def __str__(self) -> str:
        if self.most is not None:
            return f"<= {self.most:g}"
        return "report" if self.least is None else f">= {self.least:g}"

    def is_met(self, figure: Figure) -> bool | None:
        """Whether the figure, or its median, meets the target; None if it is only reported."""
        value = figure.median if isinstance(figure, MedianEstimate) else figure
        if self.most is not None:
            return value <= self.most
        return None if self.least is None else value >= self.least


REPORT = Target()


@dataclass(frozen=True, slots=True)
class DiscoveryRow:
    """A measured figure. `target` is for the ratio if there is one, otherwise for `ours`.

    `conditions` holds the unit, concurrency, rate, deadline, window and status codes.
    """

    name: str
    ours: Figure
    target: Target = REPORT
    baseline: Figure | None = None
    ratio: Figure | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool | None:
        """Whether the target is met."""
        return self.target.is_met(self.ours if self.ratio is None else self.ratio)

    def as_json(self) -> dict[str, Any]:
        """The row as JSON."""
        return {
            "name": self.name,
            "ours": _plain(self.ours),
            "baseline": _plain(self.baseline),
            "ratio": _plain(self.ratio),
            "target": str(self.target),
            "ok": self.ok,
            "conditions": {name: _plain(value) for name, value in self.conditions.items()},
        }


def write(file: Path, rows: Iterable[DiscoveryRow]) -> None:
    """Write the rows to `file`; a row replaces one of the same name, other rows stay."""
    kept: Sequence[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else ()
    merged = {row["name"]: row for row in kept} | {row.name: row.as_json() for row in rows}
    file.write_text(json.dumps(list(merged.values()), indent=2) + "\n")


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, MedianEstimate) else value
