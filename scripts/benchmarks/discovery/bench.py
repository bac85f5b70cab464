"""What every row needs: where to put things, a clock, chance, and what the machine was like."""

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

# Interleaved pairs of a comparison, at least.
PAIRS = 100


@dataclass(frozen=True, slots=True)
class DiscoveryBench:
    """One run. `pairs` is how often what is compared takes turns."""

    folder: Path
    clock: Clock
    rng: random.Random
    pairs: int = PAIRS


Measure = Callable[[DiscoveryBench], Coroutine[Any, Any, Sequence[DiscoveryRow]]]


class MeasurementConditions:
    """What a measurement had to live with, from the moment this is made."""

    def __init__(self) -> None:
        self._before = machine.moment()

    def describe(self, **conditions: Any) -> dict[str, Any]:
        """The conditions of a row, with those of the machine."""
        return {
            **conditions,
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "grpcio": version("grpcio"),
            "loop": "asyncio",
            "machine": asdict(machine.conditions(self._before, machine.moment())),
        }


def codes_of(turns: Mapping[str, Sequence[LoadResult]]) -> dict[str, dict[str, int]]:
    """How the calls of each stack ended."""
    found: dict[str, dict[str, int]] = {}
    for name, taken in turns.items():
        counts = found.setdefault(name, {})
        for turn in taken:
            for code, number in turn.codes.items():
                counts[code] = counts.get(code, 0) + number
    return found
