"""Instances that answer UNAVAILABLE at once: one of them to half its calls, or all to every
call.
"""

import asyncio
from collections.abc import Mapping, Sequence

from scripts.benchmarks.discovery import stacks
from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.backends.server import Behavior
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.load import LoadResult, steady
from scripts.benchmarks.discovery.row import DiscoveryRow, Target
from scripts.benchmarks.discovery.stacks import OURS, RETRY, StackClient

RATE_PER_S = 100.0
DEADLINE_S = 5.0
FAILING = 0.5
# The time in which the stacks detect the failing instance.
LEARNING_S = 10.0
WINDOW_S = 30.0
STORM_RATE_PER_S = 500.0
STORM_S = 15.0


async def half_failing(
    bench: DiscoveryBench, *, learning_s: float = LEARNING_S, window_s: float = WINDOW_S
) -> Sequence[DiscoveryRow]:
    """One of three instances fails half its calls: failed calls, and attempts added by retries."""
    measured = MeasurementConditions()
    names = (OURS, *stacks.BALANCING)
    async with (
        fleet.running(bench.folder / "failing") as running,
        stacks.opened(running, names) as clients,
    ):
        await running.behave(Behavior(failing=FAILING), 0)
        first = await _together(bench, clients, names, learning_s)
        before = {name: await running.attempts(name) for name in names}
        then = await _together(bench, clients, names, window_s)
        after = {name: await running.attempts(name) for name in names}
    failed = {name: first[name].failed + then[name].failed for name in names}
    extra = {name: (after[name] - before[name]) / then[name].calls - 1 for name in names}
    conditions = measured.describe(
        unit="calls",
        concurrency="by the rate",
        rate_per_s=RATE_PER_S,
        deadline_s=DEADLINE_S,
        window=f"{learning_s:g} s and then {window_s:g} s, all stacks at once",
        codes=codes_of({name: (first[name], then[name]) for name in names}),
        instances=fleet.INSTANCES,
        failed=failed,
        extra_attempts=extra,
    )
    return [
        DiscoveryRow(
            "one instance fails half its calls: failed calls",
            ours=failed[OURS],
            target=Target(most=0),
            baseline=failed[RETRY],
            conditions=conditions,
        ),
        DiscoveryRow(
            "one instance fails half its calls: extra attempts for each call after 10 s",
            ours=extra[OURS],
            target=Target(most=0.01),
            baseline=extra[RETRY],
            conditions={**conditions, "unit": "attempts"},
        ),
    ]


async def retry_storm(
    bench: DiscoveryBench, *, window_s: float = STORM_S
) -> Sequence[DiscoveryRow]:
    """All instances fail every call: how many attempts reach them for each call."""
    measured = MeasurementConditions()
    names = (OURS, RETRY)
    turns: dict[str, LoadResult] = {}
    attempts = {}
    async with (
        fleet.running(bench.folder / "storm") as running,
        stacks.opened(running, names) as clients,
    ):
        await running.behave(Behavior(failing=1.0))
        for name in names:
            turns[name] = await _turn(bench, clients[name], STORM_RATE_PER_S, window_s)
            attempts[name] = await running.attempts(name) / turns[name].calls
    return [
        DiscoveryRow(
            "retry storm, service wholly down: attempts for each call",
            ours=attempts[OURS],
            target=Target(most=1.25),
            baseline=attempts[RETRY],
            ratio=None,
            conditions=measured.describe(
                unit="attempts that reached a server",
                concurrency="by the rate",
                rate_per_s=STORM_RATE_PER_S,
                deadline_s=DEADLINE_S,
                window=f"{window_s:g} s, one stack after the other",
                codes=codes_of({name: (turn,) for name, turn in turns.items()}),
                instances=fleet.INSTANCES,
            ),
        )
    ]


async def _together(
    bench: DiscoveryBench, clients: Mapping[str, StackClient], names: Sequence[str], window_s: float
) -> dict[str, LoadResult]:
    made = await asyncio.gather(
        *(_turn(bench, clients[name], RATE_PER_S, window_s) for name in names)
    )
    return dict(zip(names, made, strict=True))


async def _turn(
    bench: DiscoveryBench, client: StackClient, rate_per_s: float, window_s: float
) -> LoadResult:
    return await steady(
        lambda: client.call(DEADLINE_S),
        rate_per_s=rate_per_s,
        window_s=window_s,
        clock=bench.clock,
    )
