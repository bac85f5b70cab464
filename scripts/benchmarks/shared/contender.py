"""A contender of a comparison, and a turn: the timed placement of some orders with it.

A contender is anything that takes an order and answers when it is settled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import grpc
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest

from discovery.clock import Clock
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.machine import ProcessorTime

CALL_TIMEOUT_S = 60.0
# The name of the process that places the orders (this one) among a contender's processes.
CALLER = "caller"


class OrderFailedError(Exception):
    """An order of a benchmark was not confirmed, so there is no measurement."""


@dataclass(frozen=True, slots=True)
class Contender:
    """`place` returns when the order is settled; the time of `processes` is counted, by name.

    A slower contender gets only `share` of the orders in each turn.
    """

    name: str
    place: Callable[[CreateOrderRequest], Awaitable[None]]
    processes: Mapping[str, Sequence[int]]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The figures of one turn: `spent` is the processor time of each service for all orders.

    `idle_cores` is the number of processors that each other contender kept busy meanwhile.
    """

    elapsed_s: float
    latencies_s: Sequence[float]
    spent: Mapping[str, ProcessorTime]
    idle_cores: Mapping[str, float]

    @property
    def orders_per_s(self) -> float:
        return len(self.latencies_s) / self.elapsed_s


async def take_turn(
    contender: Contender,
    requests: Sequence[CreateOrderRequest],
    *,
    concurrency: int,
    idle: Sequence[Contender],
    clock: Clock,
) -> Turn:
    """Place all orders, `concurrency` at once, while `idle` rest. Raises OrderFailedError."""
    latencies_s: list[float] = []

    async def work(queue: Iterator[CreateOrderRequest]) -> None:
        for request in queue:
            placed_s = clock.monotonic()
            await contender.place(request)
            latencies_s.append(clock.monotonic() - placed_s)

    queue = iter(requests)
    before, idle_before_s = _spent(contender), [_services_s(other) for other in idle]
    started_s = clock.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work(queue))
    except ExceptionGroup as errors:
        failed = errors.subgroup((OrderFailedError, grpc.aio.AioRpcError))
        if failed is None:
            raise
        raise OrderFailedError(f"the {contender.name} failed: {failed.exceptions[0]}") from errors
    elapsed_s = clock.monotonic() - started_s
    after, idle_after_s = _spent(contender), [_services_s(other) for other in idle]
    return Turn(
        elapsed_s=elapsed_s,
        latencies_s=latencies_s,
        spent={name: after[name].since(before[name]) for name in after},
        idle_cores={
            other.name: (after_s - before_s) / elapsed_s
            for other, before_s, after_s in zip(idle, idle_before_s, idle_after_s, strict=True)
        },
    )


def _spent(contender: Contender) -> dict[str, ProcessorTime]:
    # All processes are children of the caller, so its own time is counted without children.
    return {
        name: machine.spent(pids, with_children=name != CALLER)
        for name, pids in contender.processes.items()
    }


def _services_s(contender: Contender) -> float:
    return sum(spent.all_s for name, spent in _spent(contender).items() if name != CALLER)
