"""How the turns of a comparison become a row, and how rows are kept in a file."""

import asyncio
import json
import os
import random
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest

from discovery.clock import SystemClock
from scripts.benchmarks.checkout.checkout_report import CheckoutReport
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.comparison import (
    ComparisonClaim,
    ComparisonPlan,
    ComparisonRound,
    ComparisonRow,
    compare,
    summarize,
)
from scripts.benchmarks.shared.contender import Contender, OrderFailedError, Turn, take_turn
from scripts.benchmarks.shared.demand import read_demand
from scripts.benchmarks.shared.machine import MachineConditions, ProcessorTime

QUIET = MachineConditions(cores=2, load_before=0.1, load_after=2, steal_percent=0.5)


async def refuse(request: CreateOrderRequest) -> None:
    raise OrderFailedError(f"order {request.request_id} is REJECTED")


IDLE = Contender("idle", refuse, {})


def claim(title: str = "of the floor", *, repeat_ours: bool = False) -> ComparisonClaim:
    return ComparisonClaim(title, "suite", "floor", 0.7, repeat_ours)


def turn(orders_per_s: float, *, order_cpu_ms: float = 0.0, **idle_cores: float) -> Turn:
    cpu_ms = {"order": order_cpu_ms, "inventory": 40.0, "payment": 60.0, "caller": 500.0}
    spent = {name: ProcessorTime(ms / 1_000, {"main": ms / 2_000}) for name, ms in cpu_ms.items()}
    return Turn(100 / orders_per_s, [0.01] * 100, spent, idle_cores)


def rounds(ratios: Sequence[float]) -> list[ComparisonRound]:
    """One round for each ratio, on a machine that gets slower; both turns of the floor are
    equal.
    """
    floors = [1_000 / (1 + number) for number in range(len(ratios))]
    return [
        {
            "suite": turn(ratio * floor, order_cpu_ms=100.0, floor=0.01),
            "floor": turn(floor, suite=0.2),
            "floor again": turn(floor, suite=0.2),
        }
        for ratio, floor in zip(ratios, floors, strict=True)
    ]


def row(ratios: Sequence[float], title: str = "of the floor") -> ComparisonRow:
    return summarize(claim(title), 8, rounds(ratios), orders=100)


def test_a_ratio_is_that_of_the_same_round() -> None:
    """A ratio compares turns of one round, so a machine that gets slower doesn't change it."""
    found = row([0.5, 0.6, 0.7, 0.6, 0.6, 0.6])

    assert found.ratio.median == pytest.approx(0.6)
    assert (found.ratio.low, found.ratio.high) == pytest.approx((0.5, 0.7))
    assert found.baseline_ratio.low == found.baseline_ratio.high == 1.0
    assert not found.ok
    assert row([0.7]).ok


def test_processor_time_is_for_an_order() -> None:
    """Each service's time is divided by the orders; the caller's time is not in the total."""
    found = row([0.5] * 6)

    assert found.ours.cpu_ms_per_order == pytest.approx(
        {"order": 1.0, "inventory": 0.4, "payment": 0.6, "caller": 5.0, "total": 2.0}
    )
    assert found.ours.thread_ms_per_order["payment"] == pytest.approx({"main": 0.3})
    assert found.baseline.cpu_ms_per_order["total"] == pytest.approx(1.0)


def test_an_idle_half_is_billed_for_the_turns_of_the_other() -> None:
    """The processors that a contender uses in the other's turns are its own idle use."""
    found = row([0.5] * 6)

    assert (found.ours.idle_cores, found.baseline.idle_cores) == (0.2, 0.01)


def test_few_rounds_say_how_little_they_say() -> None:
    """The report mentions a short run, a busy machine, and stolen time."""

    def caveats(now: MachineConditions) -> str:
        console = Console(file=StringIO(), width=200, record=True)
        CheckoutReport([row([0.5] * 3)], now).show(console)
        return console.export_text()

    noisy = caveats(MachineConditions(cores=2, load_before=9, load_after=9, steal_percent=2.5))
    assert "75 %" in noisy
    assert "busy before" in noisy
    assert "look at the ratios alone" in noisy
    assert "busy before" not in caveats(QUIET)
    assert "look at the ratios alone" not in caveats(QUIET)


def test_a_file_gathers_the_rows_of_several_runs(tmp_path: Path) -> None:
    """A row that is measured again replaces the old one; all other rows stay."""
    file = tmp_path / "figures.json"
    CheckoutReport([row([0.5]), row([0.6], "of DBOS")], QUIET).write(file)
    CheckoutReport([row([0.8])], QUIET).write(file)
    found = json.loads(file.read_text())

    assert [one["name"] for one in found] == ["of the floor, 8 at once", "of DBOS, 8 at once"]
    assert [one["ok"] for one in found] == [True, False]
    assert [one["ratio"] for one in found] == pytest.approx([0.8, 0.6])
    assert {name for one in found for name in one} == {
        *("name", "ours", "baseline", "ratio", "target", "ok", "conditions")
    }


async def test_a_round_has_a_turn_of_everybody_and_a_second_one_of_the_baseline() -> None:
    """A slower contender gets fewer orders, the same number in each of its turns."""
    placed: list[str] = []

    def contender(name: str, share: float = 1.0) -> Contender:
        async def place(request: CreateOrderRequest) -> None:
            placed.append(name)
            await asyncio.sleep(0)

        return Contender(name, place, {name: [os.getpid()]}, share)

    plan = ComparisonPlan(concurrencies=(2,), orders=8, rounds=3)
    contenders = [contender("suite"), contender("floor", 0.5)]
    demand, rng = read_demand(), random.Random(5)
    found = [
        one
        async for one in compare(contenders, [claim()], demand, plan, clock=SystemClock(), rng=rng)
    ]

    assert [one.name for one in found] == ["of the floor, 2 at once"]
    # A quarter of a turn is for warm-up.
    assert placed.count("suite") == 2 + 3 * 8
    assert placed.count("floor") == 1 + 3 * 2 * 4


async def test_ours_may_have_a_second_turn_too() -> None:
    """Where a claim says so, ours is compared with itself in the same rounds."""
    placed: list[str] = []

    def contender(name: str) -> Contender:
        async def place(request: CreateOrderRequest) -> None:
            placed.append(name)
            await asyncio.sleep(0)

        return Contender(name, place, {name: [os.getpid()]})

    plan = ComparisonPlan(concurrencies=(2,), orders=8, rounds=3)
    (found,) = [
        one
        async for one in compare(
            [contender("suite"), contender("floor")],
            [claim(repeat_ours=True)],
            read_demand(),
            plan,
            clock=SystemClock(),
            rng=random.Random(6),
        )
    ]

    assert placed.count("suite") == placed.count("floor") == 2 + 3 * 2 * 8
    assert found.ours_ratio is not None
    assert found.ours_ratio.low <= found.ours_ratio.median <= found.ours_ratio.high
    assert row([0.5]).ours_ratio is None


async def test_a_turn_places_every_order_once() -> None:
    """A turn places each order once, never more at once than asked for, and times each."""
    placed: list[str] = []
    open_now: set[str] = set()
    most = 0

    async def place(request: CreateOrderRequest) -> None:
        nonlocal most
        open_now.add(request.request_id)
        most = max(most, len(open_now))
        await asyncio.sleep(0)
        open_now.remove(request.request_id)
        placed.append(request.request_id)

    requests = [CreateOrderRequest(request_id=str(number)) for number in range(10)]
    done = await take_turn(
        Contender("mine", place, {"idle process": []}),
        requests,
        concurrency=4,
        idle=[IDLE],
        clock=SystemClock(),
    )

    assert sorted(placed) == sorted(request.request_id for request in requests)
    assert most == 4
    assert len(done.latencies_s) == 10
    assert done.spent == {"idle process": ProcessorTime(0.0, {})}


async def test_a_turn_bills_both_halves() -> None:
    """A turn counts the time of its contender by process, and the idle one's without the caller."""
    here = os.getpid()

    async def place(request: CreateOrderRequest) -> None:
        until_s = machine.spent([here]).all_s + 0.2
        while machine.spent([here]).all_s < until_s:
            pass

    done = await take_turn(
        Contender("mine", place, {"order": [here]}),
        [CreateOrderRequest(request_id="7")],
        concurrency=1,
        idle=[Contender("other", refuse, {"order": [here], "caller": [here]})],
        clock=SystemClock(),
    )

    spent_s = done.spent["order"].all_s
    assert spent_s > 0.19
    assert done.idle_cores["other"] * done.elapsed_s == pytest.approx(spent_s, abs=0.05)


async def test_an_order_that_fails_is_no_figure() -> None:
    """A failed order ends the benchmark with the name of the contender."""
    with pytest.raises(OrderFailedError, match="the suite failed: order 7 is REJECTED"):
        await take_turn(
            Contender("suite", refuse, {}),
            [CreateOrderRequest(request_id="7")],
            concurrency=2,
            idle=[IDLE],
            clock=SystemClock(),
        )
