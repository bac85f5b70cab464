"""One instance is twenty times slower than the others."""

from collections.abc import Sequence

from scripts.benchmarks.discovery import stacks
from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.backends.server import Behavior
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.interleaved import AGAIN, figure_of, ratio, turns
from scripts.benchmarks.discovery.load import LoadResult, steady
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow, Target
from scripts.benchmarks.discovery.stacks import OURS, ROUND_ROBIN
from scripts.benchmarks.shared.medians import percentile

DELAY_S = 0.005
SLOWER = 20
RATE_PER_S = 200.0
WINDOW_S = 0.5
DEADLINE_S = 10.0
# As long as our balancer's slow start and first picks take.
WARM_UP_S = 3.0
_NAMES = (OURS, ROUND_ROBIN, stacks.FULL)
_TARGETS = {ROUND_ROBIN: Target(most=0.25)}


def p99_ms(turn: LoadResult) -> float:
    """The p99 of one turn."""
    return percentile(turn.latencies_ms, 99)


async def p99(bench: DiscoveryBench) -> Sequence[DiscoveryRow]:
    """The p99 of calls at a steady rate."""
    measured = MeasurementConditions()
    async with (
        fleet.running(bench.folder / "slow") as running,
        stacks.opened(running, _NAMES) as clients,
    ):
        await running.behave(Behavior(delay_s=DELAY_S))
        await running.behave(Behavior(delay_s=DELAY_S * SLOWER), 0)

        async def take(name: str, window_s: float = WINDOW_S) -> LoadResult:
            return await steady(
                lambda: clients[name].call(DEADLINE_S),
                rate_per_s=RATE_PER_S,
                window_s=window_s,
                clock=bench.clock,
            )

        for name in _NAMES:
            await take(name, WARM_UP_S)
        taken = await turns(bench, _NAMES, (ROUND_ROBIN,), take)
    conditions = measured.describe(
        unit=f"ms; two instances answer after {1_000 * DELAY_S:g} ms, one {SLOWER} times later",
        concurrency="by the rate",
        rate_per_s=RATE_PER_S,
        deadline_s=DEADLINE_S,
        window=f"{bench.pairs} pairs of {WINDOW_S} s",
        codes=codes_of(taken),
        instances=fleet.INSTANCES,
        baseline_by_itself=ratio(taken, f"{ROUND_ROBIN}{AGAIN}", ROUND_ROBIN, p99_ms),
    )
    return [
        DiscoveryRow(
            f"p99 with one instance {SLOWER}x slower, ms, by {name}",
            ours=figure_of(taken, OURS, p99_ms),
            target=_TARGETS.get(name, REPORT),
            baseline=figure_of(taken, name, p99_ms),
            ratio=ratio(taken, OURS, name, p99_ms),
            conditions=conditions,
        )
        for name in _NAMES[1:]
    ]
