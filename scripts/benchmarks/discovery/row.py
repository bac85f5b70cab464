"""One line of the table: what was measured, against what, and what it should have been."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.benchmarks.shared.medians import MedianEstimate

# A figure with its interval, or one that was simply counted.
Figure = MedianEstimate | float


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be: `most` or `least`; neither where it is only reported."""

    most: float | None = None
    least: float | None = None

    def __str__(self) -> str:
        if self.most is not None:
            return f"<= {self.most:g}"
        return "report" if self.least is None else f">= {self.least:g}"

    def is_met(self, figure: Figure) -> bool | None:
        """Whether the figure, or its median, is what it should be; None: it is only reported."""
        value = figure.median if isinstance(figure, MedianEstimate) else figure
        if self.most is not None:
            return value <= self.most
        return None if self.least is None else value >= self.least


REPORT = Target()


@dataclass(frozen=True, slots=True)
class DiscoveryRow:
    """`target` is for the ratio, where there is one, and else for `ours`.

    `conditions` say under what it holds: unit, concurrency, rate, deadline, window, status codes.
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
        """The fields under their names."""
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
    """Write the rows to `file`, in the places of their names or behind what it holds already."""
    kept: Sequence[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else ()
    merged = {row["name"]: row for row in kept} | {row.name: row.as_json() for row in rows}
    file.write_text(json.dumps(list(merged.values()), indent=2) + "\n")


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, MedianEstimate) else value
