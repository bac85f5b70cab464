"""An instance is killed or frozen under load, several times."""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial

import discovery
from scripts.benchmarks.discovery import stacks
from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.backends.fleet import Fleet
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.load import LoadResult, steady
from scripts.benchmarks.discovery.measurements.under_load import disrupt_under_load
from scripts.benchmarks.discovery.row import DiscoveryRow, Target
from scripts.benchmarks.discovery.stacks import FULL, OURS, RETRY, ROUND_ROBIN, StackClient
from scripts.benchmarks.shared.medians import percentile

KILLS = 10
KILL_RATE_PER_S = 100.0
KILL_DEADLINE_S = 5.0
# How long an instance is down, and how long all are back before the next one is killed.
GONE_S = 1.0
BACK_S = 4.0

FREEZES = 4
FREEZE_RATE_PER_S = 300.0
FREEZE_DEADLINE_S = 2.0
HEALTHY_S = 5.0
# A freeze ends after this time if the instance isn't ejected.
FROZEN_MAX_S = 8.0
EJECTION_POLL_S = 0.02
SLOW_FACTOR = 2.0


async def kill(bench: DiscoveryBench, *, kills: int = KILLS) -> Sequence[DiscoveryRow]:
    """Calls that fail while instances are killed (SIGKILL) in turn, with all stacks at once."""
    measured = MeasurementConditions()
    async with (
        fleet.running(bench.folder / "kill") as running,
        stacks.opened(running, (OURS, *stacks.BALANCING)) as clients,
    ):

        async def disrupt(victim: int) -> None:
            await running.slots[victim].stop(signal.SIGKILL)
            await bench.clock.sleep(GONE_S)
            await running.start(victim)

        turns = await disrupt_under_load(
            bench,
            {name: partial(client.call, KILL_DEADLINE_S) for name, client in clients.items()},
            disrupt,
            disruptions=kills,
            rate_per_s=KILL_RATE_PER_S,
            back_s=BACK_S,
        )
    failed = {name: turn.failed for name, turn in turns.items()}
    return [
        DiscoveryRow(
            "kill -9 of one under load: failed calls",
            ours=failed[OURS],
            target=Target(most=0),
            baseline=failed[ROUND_ROBIN],
            conditions=measured.describe(
                unit="idempotent unary calls",
                concurrency="by the rate",
                rate_per_s=KILL_RATE_PER_S,
                deadline_s=KILL_DEADLINE_S,
                window=f"{kills} kills in {turns[OURS].elapsed_s:.0f} s, all stacks at once",
                codes=codes_of({name: (turn,) for name, turn in turns.items()}),
                instances=fleet.INSTANCES,
                failed=failed,
            ),
        )
    ]


async def freeze(bench: DiscoveryBench, *, freezes: int = FREEZES) -> Sequence[DiscoveryRow]:
    """The share of slow calls while an instance is frozen (SIGSTOP), one stack after another."""
    measured = MeasurementConditions()
    names = (OURS, ROUND_ROBIN, FULL, RETRY)
    slow, turns, healthy_ms, lasted_s = {}, {}, {}, {}
    async with (
        fleet.running(bench.folder / "freeze") as running,
        stacks.opened(running, names) as clients,
    ):
        for name in names:
            times = freezes if name == OURS else 1
            found = [await _frozen(bench, running, clients[name], n) for n in range(times)]
            turns[name] = [turn for turn, _, _ in found]
            calls = sum(turn.calls for turn in turns[name])
            slow[name] = sum(
                took_ms > SLOW_FACTOR * p99_ms
                for turn, p99_ms, _ in found
                for took_ms in turn.latencies_ms
            ) / max(1, calls)
            healthy_ms[name] = [p99_ms for _, p99_ms, _ in found]
            lasted_s[name] = [seconds for _, _, seconds in found]
    return [
        DiscoveryRow(
            "SIGSTOP of one under load: share of calls over 2x the healthy p99",
            ours=slow[OURS],
            target=Target(most=0.01),
            baseline=slow[ROUND_ROBIN],
            conditions=measured.describe(
                unit="share of the calls from freeze to ejection, or to its end where none comes",
                concurrency="by the rate",
                rate_per_s=FREEZE_RATE_PER_S,
                deadline_s=FREEZE_DEADLINE_S,
                window=f"{freezes} freezes, each until ejected, at most {FROZEN_MAX_S:g} s",
                codes=codes_of(turns),
                instances=fleet.INSTANCES,
                slow=slow,
                healthy_p99_ms=healthy_ms,
                frozen_s=lasted_s,
            ),
        )
    ]


async def _frozen(
    bench: DiscoveryBench, running: Fleet, client: StackClient, number: int
) -> tuple[LoadResult, float, float]:
    """The calls during a freeze, the p99 in ms before it, and the time until it was ejected."""

    async def call(window_s: float, until: asyncio.Event | None = None) -> LoadResult:
        return await steady(
            lambda: client.call(FREEZE_DEADLINE_S),
            rate_per_s=FREEZE_RATE_PER_S,
            window_s=window_s,
            clock=bench.clock,
            until=until,
        )

    healthy = await call(HEALTHY_S)
    victim = number % fleet.INSTANCES
    ejected = asyncio.Event()
    running.signal(victim, signal.SIGSTOP)
    began_s = bench.clock.monotonic()
    try:
        calling = asyncio.create_task(call(FROZEN_MAX_S, ejected))
        while not calling.done() and not ejected.is_set():
            await bench.clock.sleep(EJECTION_POLL_S)
            if _is_ejected(client, running.ports[victim]):
                ejected.set()
        frozen_s = bench.clock.monotonic() - began_s
        turn = await calling
    finally:
        running.signal(victim, signal.SIGCONT)
    await running.ready(victim)
    return turn, percentile(healthy.latencies_ms, 99), frozen_s


def _is_ejected(client: StackClient, port: int) -> bool:
    channel = client.channel
    if not isinstance(channel, discovery.Channel):
        return False
    return any(
        one.endpoint.endswith(f":{port}") and (one.ejected is not None or one.state != "READY")
        for one in channel.explain().instances
    )
