"""The memory of a channel, and of each additional instance."""

from collections.abc import Sequence

from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions
from scripts.benchmarks.discovery.programs.launch import line_of, program
from scripts.benchmarks.discovery.row import DiscoveryRow
from scripts.benchmarks.discovery.stacks import OURS, ROUND_ROBIN
from scripts.benchmarks.shared.medians import MedianEstimate, estimate_median

CHANNELS = 20
MORE = 3
ROUNDS = 6


async def memory(
    bench: DiscoveryBench, *, channels: int = CHANNELS, rounds: int = ROUNDS
) -> Sequence[DiscoveryRow]:
    """Resident memory of processes that open many channels, with both stacks in turn."""
    measured = MeasurementConditions()
    names = (OURS, ROUND_ROBIN)
    per_channel: dict[str, list[float]] = {name: [] for name in names}
    per_instance: dict[str, list[float]] = {name: [] for name in names}
    total = fleet.INSTANCES + MORE
    async with fleet.running(bench.folder / "memory", instances=total) as running:
        ports = [str(port) for port in running.ports]
        for _ in range(rounds):
            for name in bench.rng.sample(names, len(names)):
                with program("channel_holder", name, str(channels), *ports) as holder:
                    before, three, more = [int(await line_of(holder)) for _ in range(3)]
                per_channel[name].append((three - before) / channels)
                grown = (more - three) - (three - before)
                per_instance[name].append(grown / channels / MORE)
    conditions = measured.describe(
        unit="KiB resident",
        concurrency=1,
        rate="one call for each channel",
        deadline_s=10.0,
        window=f"{rounds} processes of each, {channels} channels to 3 and {channels} to {total}",
        codes={},
        instances=total,
    )
    return [
        _row("memory per channel to 3 instances, KiB", per_channel, conditions),
        _row("memory per extra instance, KiB", per_instance, conditions),
    ]


def _row(name: str, kib: dict[str, list[float]], conditions: dict[str, object]) -> DiscoveryRow:
    ours, native = kib[OURS], kib[ROUND_ROBIN]
    return DiscoveryRow(
        name,
        ours=estimate_median(ours),
        baseline=estimate_median(native),
        ratio=_ratio(ours, native),
        conditions=conditions,
    )


def _ratio(ours: Sequence[float], native: Sequence[float]) -> MedianEstimate | None:
    if min(native) <= 0:
        return None
    return estimate_median([one / other for one, other in zip(ours, native, strict=True)])
