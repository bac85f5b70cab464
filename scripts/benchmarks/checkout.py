"""Checkouts through the suite and through the floor, in interleaved rounds.

Each round has a turn of the suite and two of the floor, in an order drawn by lot, so that what
changes on the machine in the meantime meets them all alike; the floor's second turn divided by
its first shows how far apart two measurements of one thing lie.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from statistics import median

from discovery.clock import Clock
from scripts.benchmarks.estimates import Estimate, estimate, percentile
from scripts.benchmarks.half import CALLER, Half, Turn, take_turn
from scripts.benchmarks.orders import Demand

PERCENTILES = (50, 95, 99)
# Of the turn's own orders: connections, caches and prepared statements are there afterwards.
WARM_UP_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: `orders` a turn, `rounds` for each concurrency.

    And all of that for each number of `stored` orders, or without any where there is none.
    """

    concurrencies: Sequence[int]
    orders: int
    rounds: int
    stored: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """Three turns that belong together."""

    suite: Turn
    floor: Turn
    floor_again: Turn


@dataclass(frozen=True, slots=True)
class Side:
    """One half at one concurrency; latencies of all its orders, in ms, by percentile.

    `cpu_ms_per_order` is by service and, as `total`, of all of them without the caller;
    `idle_cores` is how many processors they keep busy while the other half has its turn.
    """

    orders_per_s: Estimate
    latency_ms: dict[int, float]
    cpu_ms_per_order: dict[str, float]
    idle_cores: float


@dataclass(frozen=True, slots=True)
class Row:
    """Everything about one concurrency. `ratio` is suite by floor, of orders a second.

    `stored` is how many orders the suite had before.
    """

    stored: int
    concurrency: int
    suite: Side
    floor: Side
    ratio: Estimate
    floor_ratio: Estimate


async def rows(
    suite: Half,
    floor: Half,
    demand: Demand,
    plan: Plan,
    *,
    stored: int,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[Row]:
    """A row for each concurrency, as it is done. Raises OrderFailedError."""

    async def turn(half: Half, concurrency: int, share: float = 1.0) -> Turn:
        requests = demand.requests(max(1, int(plan.orders * share)), rng)
        idle = suite if half is floor else floor
        return await take_turn(half, requests, concurrency=concurrency, idle=idle, clock=clock)

    for concurrency in plan.concurrencies:
        for half in (floor, suite):
            await turn(half, concurrency, WARM_UP_SHARE)
        rounds = []
        for _ in range(plan.rounds):
            turns = {}
            for name in rng.sample(("suite", "floor", "floor_again"), 3):
                turns[name] = await turn(suite if name == "suite" else floor, concurrency)
            rounds.append(Round(**turns))
        yield summarize(concurrency, rounds, stored=stored)


def summarize(concurrency: int, rounds: Sequence[Round], *, stored: int = 0) -> Row:
    """The rounds of one concurrency as a row."""

    def ratio(of: Callable[[Round], Turn], by: Callable[[Round], Turn]) -> Estimate:
        return estimate([of(one).orders_per_s / by(one).orders_per_s for one in rounds])

    suites = [one.suite for one in rounds]
    floors = [turn for one in rounds for turn in (one.floor, one.floor_again)]
    return Row(
        stored=stored,
        concurrency=concurrency,
        suite=_side(suites, others=floors),
        floor=_side(floors, others=suites),
        ratio=ratio(lambda one: one.suite, lambda one: one.floor),
        floor_ratio=ratio(lambda one: one.floor_again, lambda one: one.floor),
    )


def _side(turns: Sequence[Turn], *, others: Sequence[Turn]) -> Side:
    latencies_ms = [1_000 * latency_s for turn in turns for latency_s in turn.latencies_s]
    cpu_ms = {
        name: sum(turn.cpu_ms[name] for turn in turns) / len(latencies_ms)
        for name in turns[0].cpu_ms
    }
    services_ms = sum(spent for name, spent in cpu_ms.items() if name != CALLER)
    return Side(
        orders_per_s=estimate([turn.orders_per_s for turn in turns]),
        latency_ms={percent: percentile(latencies_ms, percent) for percent in PERCENTILES},
        cpu_ms_per_order={**cpu_ms, "total": services_ms},
        idle_cores=median(turn.idle_cores for turn in others),
    )
