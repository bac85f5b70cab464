"""A soak whose state a person sees while it runs."""

from pathlib import Path

from rich.console import Console

from discovery.clock import Clock
from scripts.benchmarks.shared import machine
from scripts.benchmarks.soak import soak_run
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_report import SoakReport


async def run_watched(
    plan: soak_run.SoakPlan, folder: Path, *, clock: Clock, console: Console
) -> SoakReport:
    """Run the soak, with a line that changes with each sample. Raises what `run` raises."""
    before = machine.moment()
    with console.status("starting the instances") as status:

        def show_sample(sample: SoakSample, found: soak_run.SoakFindings) -> None:
            failed = sum(sum(one.failures.values()) for one in found.samples)
            status.update(
                f"minute {sample.at_s / 60:.1f}: {found.faults.total()} faults,"
                f" {failed} calls failed, {sample.memory_kib / 1024:.0f} MiB"
            )

        found = await soak_run.run(plan, folder, clock=clock, on_sample=show_sample)
    return SoakReport(plan, found, machine.conditions(before, machine.moment()))
