"""Orchestrated and choreographed checkouts through one suite, in interleaved rounds.

A round has a turn of choreography and two of orchestration, in random order. The second turn of
orchestration divided by the first shows how much two measurements of the same thing differ. During
the turns, a subscriber measures the lag of the feeds.
"""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tradepost.order.v1.order_pb2 import Coordination
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest

import discovery
from discovery.clock import Clock
from scripts.benchmarks.coordination.counters import MessageCounter, commits
from scripts.benchmarks.coordination.lag_meter import LagMeter, metered
from scripts.benchmarks.shared.comparison import PERCENTILES, WARM_UP_SHARE, ComparisonPlan
from scripts.benchmarks.shared.contender import CALLER, Contender, Turn, take_turn
from scripts.benchmarks.shared.demand import Demand
from scripts.benchmarks.shared.measured_suite import MeasuredSuite
from scripts.benchmarks.shared.medians import MedianEstimate, estimate_median, percentile

ORCHESTRATED = Coordination.COORDINATION_ORCHESTRATED
CHOREOGRAPHED = Coordination.COORDINATION_CHOREOGRAPHED
SERVICES = ("order", "inventory", "payment")
STORES = ("order", "inventory", "payment", "processor")
# After this time the summaries and read models have followed a turn's orders, so they are counted.
SETTLE_S = 0.4


@dataclass(frozen=True, slots=True)
class Instruments:
    """The counters that are read before and after a turn."""

    messages: MessageCounter
    data: Path
    lag: LagMeter
    clock: Clock


@dataclass(frozen=True, slots=True)
class CountedTurn:
    """A turn with its messages, its commits by store, and the lag of each event."""

    turn: Turn
    messages: int
    commits: Mapping[str, int]
    lags_ms: Sequence[float]


@dataclass(frozen=True, slots=True)
class CoordinationRound:
    """The three turns of one round."""

    orchestration: CountedTurn
    choreography: CountedTurn
    orchestration_again: CountedTurn


@dataclass(frozen=True, slots=True)
class CoordinationFigures:
    """The figures of one coordination at one concurrency.

    Latencies (until CONFIRMED) and lags are in ms, by percentile. `commits_per_order` is by store,
    with the sum as `total`. Messages are requests, answers and batches of events, counted by the
    servers.
    """

    orders_per_s: MedianEstimate
    latency_ms: dict[int, float]
    lag_ms: dict[int, float]
    messages_per_order: float
    commits_per_order: dict[str, float]
    cpu_ms_per_order: float


@dataclass(frozen=True, slots=True)
class CoordinationRow:
    """Both at one concurrency. `ratio` is orders per second of choreography by orchestration."""

    concurrency: int
    orchestration: CoordinationFigures
    choreography: CoordinationFigures
    ratio: MedianEstimate
    orchestration_ratio: MedianEstimate


@asynccontextmanager
async def open_instruments(suite: MeasuredSuite, *, clock: Clock) -> AsyncIterator[Instruments]:
    """The instruments of a running suite, which must serve channelz."""
    async with AsyncExitStack() as stack:
        listed = [await suite.cluster.instances(service) for service in SERVICES]
        endpoints = [instance.endpoint for found in listed for instance in found]
        feeds = [
            await stack.enter_async_context(discovery.open_channel(suite.cluster.target(service)))
            for service in SERVICES
        ]
        yield Instruments(
            messages=await stack.enter_async_context(MessageCounter(endpoints)),
            data=suite.folder / "data",
            lag=await stack.enter_async_context(metered(feeds, clock=clock)),
            clock=clock,
        )


async def measure(
    suite: Contender,
    demand: Demand,
    plan: ComparisonPlan,
    instruments: Instruments,
    *,
    rng: random.Random,
) -> AsyncIterator[CoordinationRow]:
    """Yield a row for each concurrency when it is measured. Raises OrderFailedError."""

    async def turn(
        coordination: Coordination.ValueType, concurrency: int, share: float = 1.0
    ) -> CountedTurn:
        requests = demand.requests(max(1, int(plan.orders * share)), rng)
        for request in requests:
            request.coordination = coordination
        return await take_counted_turn(suite, requests, instruments, concurrency=concurrency)

    for concurrency in plan.concurrencies:
        for coordination in (ORCHESTRATED, CHOREOGRAPHED):
            await turn(coordination, concurrency, WARM_UP_SHARE)
        rounds = []
        for _ in range(plan.rounds):
            turns = {}
            for name in rng.sample(("orchestration", "choreography", "orchestration_again"), 3):
                chosen = CHOREOGRAPHED if name == "choreography" else ORCHESTRATED
                turns[name] = await turn(chosen, concurrency)
            rounds.append(CoordinationRound(**turns))
        yield summarize(concurrency, rounds)


async def take_counted_turn(
    suite: Contender,
    requests: Sequence[CreateOrderRequest],
    instruments: Instruments,
    *,
    concurrency: int,
) -> CountedTurn:
    """One turn, with the counters read before and after it. Raises OrderFailedError."""
    lag, data = instruments.lag, instruments.data
    messages, committed = await instruments.messages.read(), commits(data, STORES)
    lag.take_lags()
    messages_before = lag.messages
    turn = await take_turn(
        suite, requests, concurrency=concurrency, idle=[], clock=instruments.clock
    )
    await instruments.clock.sleep(SETTLE_S)
    now = commits(data, STORES)
    return CountedTurn(
        turn=turn,
        messages=await instruments.messages.read() - messages - (lag.messages - messages_before),
        commits={store: now[store] - committed[store] for store in STORES},
        lags_ms=lag.take_lags(),
    )


def summarize(concurrency: int, rounds: Sequence[CoordinationRound]) -> CoordinationRow:
    """The row of all rounds of one concurrency."""

    def ratio(of: Callable[[CoordinationRound], CountedTurn]) -> MedianEstimate:
        return estimate_median(
            [of(one).turn.orders_per_s / one.orchestration.turn.orders_per_s for one in rounds]
        )

    orchestrated = [each for one in rounds for each in (one.orchestration, one.orchestration_again)]
    return CoordinationRow(
        concurrency=concurrency,
        orchestration=_side(orchestrated),
        choreography=_side([one.choreography for one in rounds]),
        ratio=ratio(lambda one: one.choreography),
        orchestration_ratio=ratio(lambda one: one.orchestration_again),
    )


def _side(counted: Sequence[CountedTurn]) -> CoordinationFigures:
    latencies_ms = [1_000 * each for one in counted for each in one.turn.latencies_s]
    lags_ms = [each for one in counted for each in one.lags_ms]
    orders = len(latencies_ms)
    committed = {store: sum(one.commits[store] for one in counted) / orders for store in STORES}
    services_s = sum(
        spent.all_s for one in counted for name, spent in one.turn.spent.items() if name != CALLER
    )
    return CoordinationFigures(
        orders_per_s=estimate_median([one.turn.orders_per_s for one in counted]),
        latency_ms={percent: percentile(latencies_ms, percent) for percent in PERCENTILES},
        lag_ms={percent: percentile(lags_ms, percent) for percent in PERCENTILES},
        messages_per_order=sum(one.messages for one in counted) / orders,
        commits_per_order={**committed, "total": sum(committed.values())},
        cpu_ms_per_order=1_000 * services_s / orders,
    )
