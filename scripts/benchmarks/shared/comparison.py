"""Compares contenders in interleaved rounds, and holds the results against claims.

In each round every contender has a turn, and each baseline a second one, in random order, so that
changes of the machine affect all alike. A second turn divided by the first shows how much two
measurements of the same thing differ.
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
# The share of a turn's orders that warm up connections, caches and prepared statements.
WARM_UP_SHARE = 0.25
_AGAIN = " again"

# The turns of one round by contender's name; a baseline's second turn has _AGAIN in its name.
ComparisonRound = Mapping[str, Turn]


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """The size of a comparison: `orders` in each turn, `rounds` for each concurrency."""

    concurrencies: Sequence[int]
    orders: int
    rounds: int


@dataclass(frozen=True, slots=True)
class ComparisonClaim:
    """The claim that `ours` settles `target` times as many orders a second as `baseline`.

    With `repeat_ours` ours has a second turn in each round as well.
    """

    title: str
    ours: str
    baseline: str
    target: float
    repeat_ours: bool = False


@dataclass(frozen=True, slots=True)
class ContenderFigures:
    """The figures of one contender at one concurrency.

    Latencies are those of all its orders, in ms, by percentile. Processor time for an order is by
    service, with the sum without the caller as `total`; and by service and thread. `idle_cores` is
    the number of processors that it keeps busy while others have a turn.
    """

    orders_per_s: MedianEstimate
    latency_ms: dict[int, float]
    cpu_ms_per_order: dict[str, float]
    thread_ms_per_order: dict[str, dict[str, float]]
    idle_cores: float


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """The result of one claim at one concurrency.

    `ratio` is our orders per second divided by the baseline's; `baseline_ratio` is the baseline's
    second turn divided by its first, `ours_ratio` ours where there is one.
    """

    claim: ComparisonClaim
    concurrency: int
    orders: int
    rounds: int
    ours: ContenderFigures
    baseline: ContenderFigures
    ratio: MedianEstimate
    baseline_ratio: MedianEstimate
    ours_ratio: MedianEstimate | None = None

    @property
    def name(self) -> str:
        """The row's name, unique among the rows of all runs."""
        return f"{self.claim.title}, {self.concurrency} at once"

    @property
    def ok(self) -> bool:
        """Whether the claim held."""
        return self.ratio.median >= self.claim.target


async def compare(
    contenders: Sequence[Contender],
    claims: Sequence[ComparisonClaim],
    demand: Demand,
    plan: ComparisonPlan,
    *,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[ComparisonRow]:
    """Yield the rows of all claims when a concurrency is measured. Raises OrderFailedError."""
    turns = {contender.name: contender for contender in contenders}
    by_name = dict(turns)
    for claim in claims:
        for name in (claim.baseline, *([claim.ours] if claim.repeat_ours else ())):
            turns[name + _AGAIN] = by_name[name]

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
    claim: ComparisonClaim, concurrency: int, rounds: Sequence[ComparisonRound], *, orders: int
) -> ComparisonRow:
    """The row of a claim from the rounds of one concurrency."""

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
        ours_ratio=ratio(claim.ours + _AGAIN, claim.ours) if claim.repeat_ours else None,
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
    """Processor time for an order in ms: by service with the total, and by service and thread."""
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
