"""How the turns of a comparison become a row."""

import asyncio
import os
from collections.abc import Sequence

import pytest
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest

from discovery.clock import SystemClock
from scripts.benchmarks import machine
from scripts.benchmarks.checkout import Plan, Round, summarize
from scripts.benchmarks.checkout_report import CheckoutReport
from scripts.benchmarks.half import Half, OrderFailedError, Turn, take_turn
from scripts.benchmarks.machine import Conditions


async def refuse(request: CreateOrderRequest) -> None:
    raise OrderFailedError(f"order {request.request_id} is REJECTED")


IDLE = Half("idle", refuse, {})


def turn(orders_per_s: float, *, order_cpu_ms: float = 0.0, idle_cores: float = 0.0) -> Turn:
    cpu_ms = {"order": order_cpu_ms, "inventory": 40.0, "payment": 60.0, "caller": 500.0}
    return Turn(100 / orders_per_s, [0.01] * 100, cpu_ms, idle_cores)


def rounds(ratios: Sequence[float]) -> list[Round]:
    """One round a ratio, on a machine that slows down by the round; the floor repeats itself."""
    floors = [1_000 / (1 + number) for number in range(len(ratios))]
    return [
        Round(
            suite=turn(ratio * floor, order_cpu_ms=100.0, idle_cores=0.01),
            floor=turn(floor, idle_cores=0.2),
            floor_again=turn(floor, idle_cores=0.2),
        )
        for ratio, floor in zip(ratios, floors, strict=True)
    ]


def test_a_ratio_is_that_of_the_same_round() -> None:
    """A machine that slows down between the rounds changes no ratio."""
    row = summarize(8, rounds([0.5, 0.6, 0.7, 0.6, 0.6, 0.6]))

    assert row.ratio.median == pytest.approx(0.6)
    assert (row.ratio.low, row.ratio.high) == pytest.approx((0.5, 0.7))
    assert row.floor_ratio.low == row.floor_ratio.high == 1.0


def test_processor_time_is_for_an_order() -> None:
    """Each service's time is divided by its orders; the caller is shown, and not in the total."""
    row = summarize(8, rounds([0.5] * 6))

    assert row.suite.cpu_ms_per_order == pytest.approx(
        {"order": 1.0, "inventory": 0.4, "payment": 0.6, "caller": 5.0, "total": 2.0}
    )
    assert row.floor.cpu_ms_per_order["total"] == pytest.approx(1.0)


def test_an_idle_half_is_billed_for_the_turns_of_the_other() -> None:
    """What the suite takes beside the floor is the suite's, and the other way round."""
    row = summarize(8, rounds([0.5] * 6))

    assert (row.suite.idle_cores, row.floor.idle_cores) == (0.2, 0.01)


def test_few_rounds_say_how_little_they_say() -> None:
    """Neither a short run, nor a busy machine, nor one that gave its time away goes unmentioned."""
    plan = Plan(concurrencies=(8,), orders=100, rounds=3)
    row = summarize(8, rounds([0.5] * 3))

    def remarks(now: Conditions) -> str:
        return " ".join(CheckoutReport(plan, [row], now).remarks())

    noisy = remarks(Conditions(cores=2, load_before=9, load_after=9, steal_percent=2.5))
    assert "75 %" in noisy
    assert "busy before" in noisy
    assert "look at the ratios alone" in noisy
    quiet = remarks(Conditions(cores=2, load_before=0.1, load_after=2, steal_percent=0.5))
    assert "busy before" not in quiet
    assert "look at the ratios alone" not in quiet


async def test_a_turn_places_every_order_once() -> None:
    """So many at once and never more; each order is in the latencies."""
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
        Half("mine", place, {"nobody": []}),
        requests,
        concurrency=4,
        idle=IDLE,
        clock=SystemClock(),
    )

    assert sorted(placed) == sorted(request.request_id for request in requests)
    assert most == 4
    assert len(done.latencies_s) == 10
    assert done.cpu_ms == {"nobody": 0.0}


async def test_a_turn_bills_both_halves() -> None:
    """Its own by process, the idle one as a whole and without the caller, who works for both."""
    here = os.getpid()

    async def place(request: CreateOrderRequest) -> None:
        until_s = machine.cpu_s([here]) + 0.2
        while machine.cpu_s([here]) < until_s:
            pass

    done = await take_turn(
        Half("mine", place, {"order": [here]}),
        [CreateOrderRequest(request_id="7")],
        concurrency=1,
        idle=Half("other", refuse, {"order": [here], "caller": [here]}),
        clock=SystemClock(),
    )

    assert done.cpu_ms["order"] > 190
    assert done.idle_cores * done.elapsed_s * 1_000 == pytest.approx(done.cpu_ms["order"], abs=50)


async def test_an_order_that_fails_is_no_figure() -> None:
    """A benchmark of failures is none: it ends, and says which half failed."""
    with pytest.raises(OrderFailedError, match="the suite failed: order 7 is REJECTED"):
        await take_turn(
            Half("suite", refuse, {}),
            [CreateOrderRequest(request_id="7")],
            concurrency=2,
            idle=IDLE,
            clock=SystemClock(),
        )
