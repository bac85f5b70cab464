"""The processor time of a pick, among few and among many instances."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from discovery.balancing.load import Load
from discovery.balancing.policies.p2c_peak_ewma import p2c_peak_ewma
from discovery.registry.instance import Instance
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow, Target
from scripts.benchmarks.shared.medians import MedianEstimate, estimate_median

NUMBERS = (10, 100, 1_000)
PICKS = 10_000


@dataclass(frozen=True, slots=True)
class _Candidate:
    instance: Instance
    load: Load


async def pick(bench: DiscoveryBench, *, picks: int = PICKS) -> Sequence[DiscoveryRow]:
    """The picker of the default policy by itself, with each number of instances in turn."""
    measured = MeasurementConditions()
    pickers = {number: p2c_peak_ewma(_candidates(bench, number), bench.rng) for number in NUMBERS}
    took_us: dict[int, list[float]] = {number: [] for number in NUMBERS}
    now_s = bench.clock.monotonic()
    for _ in range(bench.pairs):
        for number in bench.rng.sample(NUMBERS, len(NUMBERS)):
            picker = pickers[number]
            began_s = time.process_time()
            for _ in range(picks):
                picker(now_s, ())
            took_us[number].append(1e6 * (time.process_time() - began_s) / picks)
    fewest, most = NUMBERS[0], NUMBERS[-1]
    conditions = measured.describe(
        unit="us of processor time for each pick",
        concurrency=1,
        rate="as fast as it goes",
        deadline_s=None,
        window=f"{bench.pairs} pairs of {picks:,} picks, the loop around them included",
        codes={},
    )
    rows = [
        DiscoveryRow(
            f"pick among {number:,} instances, us",
            ours=estimate_median(took_us[number]),
            target=Target(most=3.0),
            conditions=conditions,
        )
        for number in NUMBERS
    ]
    flat = DiscoveryRow(
        f"pick among {most:,} instances by {fewest}, us",
        ours=rows[-1].ours,
        target=REPORT,
        baseline=rows[0].ours,
        ratio=_ratio(took_us[most], took_us[fewest]),
        conditions=conditions,
    )
    return [*rows, flat]


def _ratio(many_us: Sequence[float], few_us: Sequence[float]) -> MedianEstimate:
    return estimate_median([many / few for many, few in zip(many_us, few_us, strict=True)])


def _candidates(bench: DiscoveryBench, number: int) -> Sequence[_Candidate]:
    now_s = bench.clock.monotonic()
    return [_candidate(index, now_s, bench.rng) for index in range(number)]


def _candidate(index: int, now_s: float, rng: random.Random) -> _Candidate:
    load = Load(now_s)
    load.observe(rng.uniform(0.001, 0.02), now_s)
    return _Candidate(Instance(f"bench-{index}", "bench", "127.0.0.1", 1_024 + index), load)
