"""How turns of two coordinations become a row, and what the counters of messages and commits
count.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from scripts.benchmarks.coordination.coordination_rounds import (
    CoordinationRound,
    CountedTurn,
    summarize,
)
from scripts.benchmarks.coordination.counters import MessageCounter, commits
from scripts.benchmarks.coordination.lag_meter import metered
from scripts.benchmarks.shared.contender import Turn
from scripts.benchmarks.shared.machine import ProcessorTime
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.event_source import event_source
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, sqlite_databases


def counted(orders_per_s: float, *, messages: int, committed: int, lag_ms: float) -> CountedTurn:
    spent = {"order": ProcessorTime(0.5, {}), "caller": ProcessorTime(0.9, {})}
    turn = Turn(100 / orders_per_s, [0.01] * 100, spent, {})
    stores = {"order": committed, "inventory": 100, "payment": 100, "processor": 200}
    return CountedTurn(turn, messages, stores, [lag_ms] * 50)


def rounds(ratios: Sequence[float]) -> list[CoordinationRound]:
    """One round for each ratio, on a machine that gets slower."""
    speeds = [1_000 / (1 + number) for number in range(len(ratios))]
    return [
        CoordinationRound(
            orchestration=counted(speed, messages=1_000, committed=500, lag_ms=20.0),
            choreography=counted(ratio * speed, messages=700, committed=600, lag_ms=30.0),
            orchestration_again=counted(speed, messages=1_200, committed=500, lag_ms=40.0),
        )
        for ratio, speed in zip(ratios, speeds, strict=True)
    ]


def test_both_are_compared_within_a_round() -> None:
    """A ratio compares turns of one round, so a machine that gets slower doesn't change it."""
    row = summarize(8, rounds([0.8, 0.9, 1.0, 0.9, 0.9, 0.9]))

    assert row.ratio.median == pytest.approx(0.9)
    assert (row.ratio.low, row.ratio.high) == pytest.approx((0.8, 1.0))
    assert row.orchestration_ratio.low == row.orchestration_ratio.high == 1.0


def test_what_is_counted_is_for_an_order() -> None:
    """Messages and commits are divided by the orders; the caller's own time is not counted."""
    row = summarize(8, rounds([1.0] * 6))

    assert (row.orchestration.messages_per_order, row.choreography.messages_per_order) == (11, 7)
    assert row.choreography.commits_per_order == {
        "order": 6.0,
        "inventory": 1.0,
        "payment": 1.0,
        "processor": 2.0,
        "total": 10.0,
    }
    assert row.choreography.cpu_ms_per_order == 5.0
    assert (row.orchestration.lag_ms[50], row.orchestration.lag_ms[99]) == (20.0, 40.0)


async def test_every_message_is_counted_where_it_is_served() -> None:
    """Requests, answers and each message of a stream are counted, the counter's own calls not."""
    async with (
        echo_server(settings={"channelz": True}) as echo,
        MessageCounter([echo.server.endpoint]) as messages,
    ):
        await echo.unary("warm")
        at_first = await messages.read()
        assert await messages.read() == at_first
        for _ in range(5):
            await echo.unary("hi")
        async for _ in echo.unary_stream("five!"):
            pass
        assert await messages.read() - at_first == 5 * 2 + 1 + 5


async def test_every_commit_is_counted_whoever_makes_it() -> None:
    """The commits of two instances on one file add up; reads don't count."""
    with sqlite_databases() as databases:
        data = Path(databases.url("source").removeprefix("sqlite:///")).parent
        async with (
            event_source(databases, owner="one") as one,
            event_source(databases, owner="two") as two,
        ):
            await one.append("ord_first", "Placed")
            before = commits(data, ["source"])
            for number in range(5):
                await one.append(f"ord_{number}", "Placed")
                await two.append(f"ord_{number}", "Confirmed")
            await one.feed.extent()
            assert commits(data, ["source"])["source"] - before["source"] == 10


async def test_the_lag_of_every_event_is_taken(databases: Databases) -> None:
    """The lag of each event is taken once; events from before the start have none."""
    async with (
        event_source(databases) as source,
        asyncio.timeout(WAIT_S),
    ):
        await source.append("ord_1", "Placed")
        lags: list[float] = []
        async with metered([source.channel], clock=SystemClock()) as meter:
            # Its request for the head, the answer, and an empty batch: it has reached the head.
            while meter.messages < 3:
                await source.feed.extent()
            await source.append("ord_1", "Confirmed", "Fulfilled")
            while len(lags) < 2:
                await source.feed.extent()
                lags += meter.take_lags()
        assert len(lags) == 2
        assert all(0 < each < 1_000 * WAIT_S for each in lags)
