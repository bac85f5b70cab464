"""What every measurement is given (folder, clock, randomness), and the conditions of its rows."""

import random
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from discovery.clock import Clock
from scripts.benchmarks.discovery.load import LoadResult
from scripts.benchmarks.discovery.row import DiscoveryRow
from scripts.benchmarks.shared import machine

# The default number of interleaved pairs of a comparison.
PAIRS = 100


@dataclass(frozen=True, slots=True)
class DiscoveryBench:
    """The settings of a run; in a comparison each stack has `pairs` turns."""

    folder: Path
    clock: Clock
    rng: random.Random
    pairs: int = PAIRS


Measurement = Callable[[DiscoveryBench], Coroutine[Any, Any, Sequence[DiscoveryRow]]]


class MeasurementConditions:
    """The conditions of a measurement, which begins when this object is made."""

    def __init__(self) -> None:
        self._before = machine.moment()

    def describe(self, **conditions: Any) -> dict[str, Any]:
        """The conditions of a row as JSON, with those of the machine."""
        return {
            **conditions,
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "grpcio": version("grpcio"),
            "loop": "asyncio",
            "machine": asdict(machine.conditions(self._before, machine.moment())),
        }


def codes_of(turns: Mapping[str, Sequence[LoadResult]]) -> dict[str, dict[str, int]]:
    """The number of calls by stack and status."""
    found: dict[str, dict[str, int]] = {}
    for name, taken in turns.items():
        counts = found.setdefault(name, {})
        for turn in taken:
            for code, number in turn.codes.items():
                counts[code] = counts.get(code, 0) + number
    return found
