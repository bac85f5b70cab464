"""Three times as many calls as the instances can answer."""

from collections.abc import Mapping, Sequence
from functools import partial

from scripts.benchmarks.discovery import stacks
from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.backends.server import Behavior
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.load import OK, LoadResult, closed, steady
from scripts.benchmarks.discovery.row import DiscoveryRow, Target
from scripts.benchmarks.discovery.stacks import OURS, RETRY, StackClient
from scripts.benchmarks.shared.medians import MedianEstimate, estimate_median

# An instance has one worker, which takes this time for a call.
WORK_S = 0.02
LOAD = 3.0
DEADLINE_S = 1.0
WINDOW_S = 30.0
# The time in which the queues fill up.
FILLING_S = 3.0
CAPACITY_CALLS = 900
LIMIT = 4
WITH: Mapping[str, str] = {"TRADEPOST_MAX_CONCURRENT": str(LIMIT)}
WITHOUT: Mapping[str, str] = {"TRADEPOST_MAX_CONCURRENT": "1000000"}
_CASES = (("with", OURS, WITH), ("without", OURS, WITHOUT), ("native without", RETRY, WITHOUT))


async def goodput(
    bench: DiscoveryBench, *, window_s: float = WINDOW_S, capacity_calls: int = CAPACITY_CALLS
) -> Sequence[DiscoveryRow]:
    """Answers within the deadline divided by capacity, with and without our limits."""
    measured = MeasurementConditions()
    found: dict[str, MedianEstimate] = {}
    turns: dict[str, Sequence[LoadResult]] = {}
    capacity_per_s = 0.0
    for name, stack, settings in _CASES:
        async with (
            fleet.running(bench.folder / "overload", settings=settings) as running,
            stacks.opened(running, (stack,)) as clients,
        ):
            await running.behave(Behavior(work_s=WORK_S))
            if not capacity_per_s:
                capacity_per_s = await _capacity_per_s(bench, clients[stack], capacity_calls)
            turn = await steady(
                partial(clients[stack].call, DEADLINE_S),
                rate_per_s=LOAD * capacity_per_s,
                window_s=FILLING_S + window_s,
                clock=bench.clock,
            )
            turns[name] = (turn,)
            found[name] = estimate_median([good / capacity_per_s for good in answered_per_s(turn)])
    return [
        DiscoveryRow(
            "overload at 3x capacity: goodput by capacity",
            ours=found["with"],
            target=Target(least=0.9),
            baseline=found["without"],
            conditions=measured.describe(
                unit="answers in time by capacity, second by second; baseline: without limits",
                concurrency="by the rate",
                rate_per_s=LOAD * capacity_per_s,
                capacity_per_s=capacity_per_s,
                deadline_s=DEADLINE_S,
                window=f"{window_s:g} s after {FILLING_S:g} s, one after the other",
                codes=codes_of(turns),
                instances=fleet.INSTANCES,
                limit_per_instance=LIMIT,
                work_s=WORK_S,
                native_without=found["native without"],
            ),
        )
    ]


async def _capacity_per_s(bench: DiscoveryBench, client: StackClient, calls: int) -> float:
    """Calls per second that the instances can answer.

    Measured with two calls for each worker, so that no worker waits for the network.
    """
    turn = await closed(
        partial(client.call, 10 * DEADLINE_S),
        calls=calls,
        concurrency=2 * fleet.INSTANCES,
        clock=bench.clock,
    )
    return (turn.calls - turn.failed) / turn.elapsed_s


def answered_per_s(turn: LoadResult) -> Sequence[int]:
    """The number of answers in each whole second after the queues have filled."""
    began_s = min(due_s for due_s, _, _ in turn.ended) + FILLING_S
    ends = [due_s + took_s - began_s for due_s, took_s, code in turn.ended if code == OK]
    last_due_s = max(due_s for due_s, _, _ in turn.ended) - began_s
    counts = [0] * max(1, int(last_due_s))
    for end_s in ends:
        if 0 <= end_s < len(counts):
            counts[int(end_s)] += 1
    return counts
