"""Caveats of a run: what a reader must know of the machine and the intervals to judge the
figures.
"""

from collections.abc import Sequence

from scripts.benchmarks.shared.machine import MachineConditions
from scripts.benchmarks.shared.medians import CONFIDENCE

STEAL_PERCENT_MAX = 2.0


def caveats(now: MachineConditions, *, rounds: int, confidences: Sequence[float]) -> list[str]:
    """Lines on the machine, and on intervals of too few rounds for 95 %."""
    loads = f"load {now.load_before:.1f} before, {now.load_after:.1f} after"
    lines = [f"{now.cores} cores; {loads}; {now.steal_percent:.1f} % stolen"]
    if now.steal_percent > STEAL_PERCENT_MAX:
        lines.append(
            f"[yellow]more than {STEAL_PERCENT_MAX:.0f} % of the machine went to others on its"
            f" host: look at the ratios alone[/yellow]"
        )
    if now.load_before > now.cores:
        lines.append("[yellow]the machine was busy before this began[/yellow]")
    confidence = min(confidences, default=CONFIDENCE)
    if confidence < CONFIDENCE:
        lines.append(
            f"[yellow]{rounds} rounds give intervals of {100 * confidence:.0f} % only;"
            f" six give 95 %[/yellow]"
        )
    return lines
