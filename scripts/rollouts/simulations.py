"""Prints how often equally good versions are withdrawn, and how soon bad ones are."""

import random
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from scripts.rollouts.verdict.simulated_traffic import (
    CALM,
    GOOD,
    ROUGH,
    Conditions,
    Result,
    SimulatedVersion,
    simulate,
)

# Of each step; a fifth of them go to the canary.
_ATTEMPTS = 1_000
_VERSIONS = {
    "equally good": GOOD,
    "5 % failing": SimulatedVersion(failing=0.05),
    "2x slower": SimulatedVersion(slower=2.0),
}
_CONDITIONS = {"calm": CALM, "rough": ROUGH}


def show(number: int, *, seed: int, console: Console) -> None:
    """Print a table with so many simulated rollouts in each line."""
    table = Table(
        *("versions", "conditions", "withdrawn", "its calls until then: median", "95 %", "seconds"),
        title=f"{number:,} simulated rollouts each, looked at after every call",
    )
    for name, version in _VERSIONS.items():
        for word, conditions in _CONDITIONS.items():
            table.add_row(name, word, *_figures(simulated(version, conditions, number, seed)))
    console.print(table)


def simulated(
    version: SimulatedVersion, conditions: Conditions, number: int, seed: int
) -> Sequence[Result]:
    """So many rollouts, each with random numbers of its own."""
    return [
        simulate(version, conditions, random.Random(f"{seed} {each}"), attempts=_ATTEMPTS)
        for each in range(number)
    ]


def _figures(results: Sequence[Result]) -> Sequence[str]:
    withdrawn = [result for result in results if result.reason]
    share = f"{len(withdrawn) / len(results):.1%}"
    if not withdrawn:
        return [share, "", "", ""]
    calls = sorted(result.canary_attempts for result in withdrawn)
    seconds = sorted(result.seconds for result in withdrawn)
    half, most = len(calls) // 2, int(len(calls) * 0.95)
    return [share, f"{calls[half]:,}", f"{calls[most]:,}", f"{seconds[most]:.1f}"]
