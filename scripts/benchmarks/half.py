"""One of the two things that are compared, and a turn: some orders through it, timed.

A half is anything that takes an order and answers when it is settled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import grpc
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest

from discovery.clock import Clock
from scripts.benchmarks import machine

CALL_TIMEOUT_S = 60.0
# The name under which a half bills the process that places its orders: this one.
CALLER = "caller"


class OrderFailedError(Exception):
    """An order didn't become what every order of a benchmark becomes, so nothing was measured."""


@dataclass(frozen=True, slots=True)
class Half:
    """`place` returns when the order is settled; `processes` are those that are billed, by name."""

    name: str
    place: Callable[[CreateOrderRequest], Awaitable[None]]
    processes: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Turn:
    """What some orders took: `cpu_ms` is processor time of each service for all of them.

    `idle_cores` is how many processors the services of the other half kept busy meanwhile.
    """

    elapsed_s: float
    latencies_s: Sequence[float]
    cpu_ms: Mapping[str, float]
    idle_cores: float

    @property
    def orders_per_s(self) -> float:
        return len(self.latencies_s) / self.elapsed_s


async def take_turn(
    half: Half,
    requests: Sequence[CreateOrderRequest],
    *,
    concurrency: int,
    idle: Half,
    clock: Clock,
) -> Turn:
    """Place all the orders, so many at once, while `idle` has no turn. Raises OrderFailedError."""
    latencies_s: list[float] = []

    async def work(queue: Iterator[CreateOrderRequest]) -> None:
        for request in queue:
            placed_s = clock.monotonic()
            await half.place(request)
            latencies_s.append(clock.monotonic() - placed_s)

    queue = iter(requests)
    cpu_before_s, idle_before_s = _cpu_s(half), _services_s(idle)
    started_s = clock.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work(queue))
    except* (OrderFailedError, grpc.aio.AioRpcError) as errors:
        raise OrderFailedError(f"the {half.name} failed: {errors.exceptions[0]}") from errors
    elapsed_s = clock.monotonic() - started_s
    cpu_after_s, idle_after_s = _cpu_s(half), _services_s(idle)
    return Turn(
        elapsed_s=elapsed_s,
        latencies_s=latencies_s,
        cpu_ms={name: 1_000 * (cpu_after_s[name] - cpu_before_s[name]) for name in cpu_after_s},
        idle_cores=(idle_after_s - idle_before_s) / elapsed_s,
    )


def _cpu_s(half: Half) -> dict[str, float]:
    return {name: machine.cpu_s(pids) for name, pids in half.processes.items()}


def _services_s(half: Half) -> float:
    return sum(spent_s for name, spent_s in _cpu_s(half).items() if name != CALLER)
