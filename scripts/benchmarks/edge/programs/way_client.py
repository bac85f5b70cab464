"""A client that finds instances in one way, in a process of its own, as its CPU is counted.

    python -m scripts.benchmarks.edge.programs.way_client WAY TARGET INSTANCES

Each line of JSON on its input is a command, each line on its output the answer. It ends with its
input.

| command                                        | what it does                                  |
|------------------------------------------------|-----------------------------------------------|
| {"do": "open"}                                 | opens a new channel; answers once all         |
|                                                | instances have answered a call on it          |
| {"do": "closed", "calls": n, "concurrency": n} | makes the calls; answers with a LoadResult    |
| {"do": "start", "rate_per_s": n}               | begins to call at the rate                    |
| {"do": "stop"}                                 | ends that; answers with a LoadResult          |
"""

import asyncio
import json
import sys
from dataclasses import asdict
from functools import partial
from typing import Any

import grpc
from tradepost.order.v1.order_service_pb2 import GetOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

from discovery.clock import Clock, SystemClock
from scripts.benchmarks.discovery.load import LoadResult, closed, steady
from scripts.benchmarks.edge.programs.shop_instance import SLOW_ORDER_ID
from scripts.benchmarks.edge.ways import open_way

TIMEOUT_S = 5.0
# How long all instances may take to answer on a new channel: one may still be left out.
ALL_FOUND_S = 60.0
_LONGEST_S = 1_000.0


class WayClient:
    """Carries out commands on the newest channel."""

    def __init__(self, way: str, target: str, instances: int, *, clock: Clock) -> None:
        self._way = way
        self._target = target
        self._instances = instances
        self._clock = clock
        self._channel: grpc.aio.Channel | None = None
        self._stub: OrderServiceAsyncStub | None = None
        self._stop = asyncio.Event()
        self._load: asyncio.Task[LoadResult] | None = None

    async def carry_out(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command. Raises TimeoutError when not all instances are found."""
        match command:
            case {"do": "open"}:
                return await self._open()
            case {"do": "closed", "calls": calls, "concurrency": concurrency}:
                send = partial(self._get, "ord_1")
                load = await closed(send, calls=calls, concurrency=concurrency, clock=self._clock)
                return asdict(load)
            case {"do": "start", "rate_per_s": rate_per_s}:
                self._start(rate_per_s)
                return {}
            case {"do": "stop"}:
                assert self._load is not None  # noqa: S101 (it was started)
                self._stop.set()
                return asdict(await self._load)
            case unknown:
                raise ValueError(f"no command {unknown}")

    async def _open(self) -> dict[str, Any]:
        if self._channel is not None:
            await self._channel.close()
        self._channel = open_way(self._way, self._target)
        self._stub = OrderServiceStub(self._channel)
        answered: set[str] = set()
        async with asyncio.timeout(ALL_FOUND_S):
            while len(answered) < self._instances:
                try:
                    answered.add((await self._get("ord_1")).order.customer_id)
                except grpc.aio.AioRpcError:
                    await self._clock.sleep(0.1)
        return {"answered": sorted(answered)}

    def _start(self, rate_per_s: float) -> None:
        self._stop.clear()
        load = steady(
            partial(self._get, SLOW_ORDER_ID),
            rate_per_s=rate_per_s,
            window_s=_LONGEST_S,
            clock=self._clock,
            until=self._stop,
        )
        self._load = asyncio.create_task(load)

    async def _get(self, order_id: str) -> Any:
        assert self._stub is not None  # noqa: S101 (the channel is opened first)
        return await self._stub.GetOrder(GetOrderRequest(order_id=order_id), timeout=TIMEOUT_S)


async def main(way: str, target: str, instances: str) -> None:
    """Carry out the commands of the input, one after another."""
    client = WayClient(way, target, int(instances), clock=SystemClock())
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await client.carry_out(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
