"""Turns whose statements are counted and whose time is not: what the stores get for an order."""

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from discovery.clock import Clock
from scripts.benchmarks.shared.comparison import ComparisonPlan
from scripts.benchmarks.shared.contender import take_turn
from scripts.benchmarks.shared.demand import Demand
from scripts.benchmarks.shared.measured_suite import MeasuredSuite
from scripts.benchmarks.statements.counted_suite import SuiteCounters, counted
from scripts.benchmarks.statements.wire_messages import StatementCount

# More orders change an average by less than another run does.
ORDERS_MAX = 200
# After this time the summaries and read models have followed a turn's orders, so they are counted.
SETTLE_S = 0.4


@dataclass(frozen=True, slots=True)
class StoreShare:
    """What one store gets for an order: the fields of StatementCount, divided by the orders.

    There are no round trips to SQLite.
    """

    statements: float
    statements_in_commits: float
    round_trips: float | None
    round_trips_in_commits: float | None
    commits: float


@dataclass(frozen=True, slots=True)
class StatementRow:
    """What the stores of a suite get for an order at one concurrency, by store."""

    suite: str
    concurrency: int
    orders: int
    stores: Mapping[str, StoreShare]

    @property
    def name(self) -> str:
        """The row's name, unique among the rows of all runs."""
        return f"statements an order: {self.suite}, {self.concurrency} at once"


async def count_statements(
    suite: MeasuredSuite,
    title: str,
    demand: Demand,
    plan: ComparisonPlan,
    *,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[StatementRow]:
    """Yield a row for each concurrency; the suite stands still afterwards.

    The suite's instances are started again, so it can't be measured any more. Raises StartError
    and OrderFailedError.
    """
    orders = min(plan.orders, ORDERS_MAX)

    async def turn(concurrency: int) -> None:
        requests = demand.requests(orders, rng)
        await take_turn(
            suite.contender(title), requests, concurrency=concurrency, idle=[], clock=clock
        )
        await clock.sleep(SETTLE_S)

    async with counted(suite) as counters:
        # A statement takes one more round trip at its third execution, which prepares it.
        await turn(max(plan.concurrencies))
        for concurrency in plan.concurrencies:
            before = counters.read()
            await turn(concurrency)
            yield StatementRow(title, concurrency, orders, _shares(counters, before, orders))


def _shares(
    counters: SuiteCounters, before: Mapping[str, StatementCount], orders: int
) -> dict[str, StoreShare]:
    return {
        store: _share(now, before.get(store, StatementCount()), orders)
        for store, now in counters.read().items()
    }


def _share(now: StatementCount, before: StatementCount, orders: int) -> StoreShare:
    trips = now.round_trips - before.round_trips
    trips_in_commits = now.round_trips_in_commits - before.round_trips_in_commits
    return StoreShare(
        statements=(now.statements - before.statements) / orders,
        statements_in_commits=(now.statements_in_commits - before.statements_in_commits) / orders,
        round_trips=trips / orders if now.round_trips else None,
        round_trips_in_commits=trips_in_commits / orders if now.round_trips else None,
        commits=(now.commits - before.commits) / orders,
    )
