"""Halves that take turns, in interleaved rounds, and what is claimed of them.

Each round has a turn of every contender, and a second one of what others are compared with, in an
order drawn by lot, so that what changes on the machine in the meantime meets them all alike; a
baseline's second turn divided by its first shows how far apart two measurements of one thing lie.
"""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from discovery.clock import Clock
from scripts.benchmarks.shared.contender import CALLER, Contender, Turn, take_turn
from scripts.benchmarks.shared.demand import Demand
from scripts.benchmarks.shared.medians import MedianEstimate, estimate_median, percentile

PERCENTILES = (50, 95, 99)
# Of the turn's own orders: connections, caches and prepared statements are there afterwards.
WARM_UP_SHARE = 0.25
_AGAIN = " again"

# The turns of one round by contender's name; a baseline's second turn has _AGAIN in its name.
ComparisonRound = Mapping[str, Turn]


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """What is asked for: `orders` a turn, `rounds` for each concurrency."""

    concurrencies: Sequence[int]
    orders: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim that `ours` settles `target` times as many orders a second as `baseline`."""

    title: str
    ours: str
    baseline: str
    target: float


@dataclass(frozen=True, slots=True)
class ContenderFigures:
    """One contender at one concurrency; latencies of all its orders, in ms, by percentile.

    Processor time an order is by service and, as `total`, of all of them without the caller; and by
    service and thread. `idle_cores` is how many processors it keeps busy while others have a turn.
    """

    orders_per_s: MedianEstimate
    latency_ms: dict[int, float]
    cpu_ms_per_order: dict[str, float]
    thread_ms_per_order: dict[str, dict[str, float]]
    idle_cores: float


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One claim at one concurrency, of that many orders a turn and rounds.

    `ratio` is ours by the baseline, of orders a second.
    """

    claim: Claim
    concurrency: int
    orders: int
    rounds: int
    ours: ContenderFigures
    baseline: ContenderFigures
    ratio: MedianEstimate
    baseline_ratio: MedianEstimate

    @property
    def name(self) -> str:
        """By which a row is known among those of all runs."""
        return f"{self.claim.title}, {self.concurrency} at once"

    @property
    def ok(self) -> bool:
        """Whether the claim held."""
        return self.ratio.median >= self.claim.target


async def rows(
    contenders: Sequence[Contender],
    claims: Sequence[Claim],
    demand: Demand,
    plan: ComparisonPlan,
    *,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[ComparisonRow]:
    """The claims' rows for each concurrency, as it is done. Raises OrderFailedError."""
    turns = {contender.name: contender for contender in contenders}
    by_name = dict(turns)
    turns |= {claim.baseline + _AGAIN: by_name[claim.baseline] for claim in claims}

    async def turn(contender: Contender, concurrency: int, share: float = 1.0) -> Turn:
        requests = demand.requests(max(1, int(plan.orders * contender.share * share)), rng)
        idle = [other for other in contenders if other is not contender]
        return await take_turn(contender, requests, concurrency=concurrency, idle=idle, clock=clock)

    for concurrency in plan.concurrencies:
        for contender in contenders:
            await turn(contender, concurrency, WARM_UP_SHARE)
        rounds: list[ComparisonRound] = []
        for _ in range(plan.rounds):
            drawn = rng.sample(sorted(turns), len(turns))
            rounds.append({name: await turn(turns[name], concurrency) for name in drawn})
        for claim in claims:
            yield summarize(claim, concurrency, rounds, orders=plan.orders)


def summarize(
    claim: Claim, concurrency: int, rounds: Sequence[ComparisonRound], *, orders: int
) -> ComparisonRow:
    """The rounds of one concurrency as a row."""

    def ratio(of: str, by: str) -> MedianEstimate:
        return estimate_median([one[of].orders_per_s / one[by].orders_per_s for one in rounds])

    return ComparisonRow(
        claim=claim,
        concurrency=concurrency,
        orders=orders,
        rounds=len(rounds),
        ours=_side(claim.ours, rounds),
        baseline=_side(claim.baseline, rounds),
        ratio=ratio(claim.ours, claim.baseline),
        baseline_ratio=ratio(claim.baseline + _AGAIN, claim.baseline),
    )


def _side(name: str, rounds: Sequence[ComparisonRound]) -> ContenderFigures:
    names = (name, name + _AGAIN)
    turns = [turn for one in rounds for whose, turn in one.items() if whose in names]
    others = [turn for one in rounds for whose, turn in one.items() if whose not in names]
    latencies_ms = [1_000 * latency_s for turn in turns for latency_s in turn.latencies_s]
    cpu_ms, thread_ms = _costs(turns, len(latencies_ms))
    return ContenderFigures(
        orders_per_s=estimate_median([turn.orders_per_s for turn in turns]),
        latency_ms={percent: percentile(latencies_ms, percent) for percent in PERCENTILES},
        cpu_ms_per_order=cpu_ms,
        thread_ms_per_order=thread_ms,
        idle_cores=median(turn.idle_cores[name] for turn in others),
    )


def _costs(
    turns: Sequence[Turn], orders: int
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Processor time an order, in ms, by service with the total, and by service and thread."""
    cpu_ms: dict[str, float] = {}
    thread_ms: dict[str, dict[str, float]] = {}
    for service in turns[0].spent:
        spent = [turn.spent[service] for turn in turns]
        cpu_ms[service] = 1_000 * sum(one.all_s for one in spent) / orders
        threads = {name for one in spent for name in one.threads_s}
        thread_ms[service] = {
            name: 1_000 * sum(one.threads_s.get(name, 0.0) for one in spent) / orders
            for name in sorted(threads)
        }
    services_ms = sum(spent_ms for name, spent_ms in cpu_ms.items() if name != CALLER)
    return {**cpu_ms, "total": services_ms}, thread_ms
