"""The calling process of a soak, by itself so that its memory is that of one asyncio channel.

    python -m scripts.benchmarks.soak.aio_caller TARGET CALLS_PER_S SEED

It calls at a steady rate, whether calls succeed or not. For each line on its input it prints a
sample as a line of JSON; it ends with its input.
"""

import asyncio
import json
import logging
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import grpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceAsyncStub,
    InventoryServiceStub,
)

import discovery
from discovery.clock import Clock, SystemClock
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_calls import (
    BEHIND_MAX_S,
    CALL_TIMEOUT_S,
    CONFIG,
    CallCounts,
    random_call,
)

# More calls than a frozen instance can hold during a call's timeout, at usual rates.
UNDER_WAY_MAX = 2_000


class SteadyLoad:
    """Calls both methods at random; each call is a task, as in a server that calls another."""

    def __init__(
        self,
        stub: InventoryServiceAsyncStub,
        *,
        calls_per_s: float,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._stub = stub
        self._interval_s = 1 / calls_per_s
        self._clock = clock
        self._rng = rng
        self._counts = CallCounts(clock.monotonic)
        self._under_way: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(UNDER_WAY_MAX)
        self._may_call = asyncio.Event()
        self._may_call.set()

    async def run(self) -> None:
        """Call until cancelled."""
        async with asyncio.TaskGroup() as calls:
            due_s = self._clock.monotonic()
            while True:
                await self._clock.sleep(due_s - self._clock.monotonic())
                await self._slots.acquire()
                await self._may_call.wait()
                task = calls.create_task(self._call())
                self._under_way.add(task)
                task.add_done_callback(self._ended)
                due_s = max(due_s + self._interval_s, self._clock.monotonic() - BEHIND_MAX_S)

    async def sample(self) -> SoakSample:
        """Take a sample when no call is under way; calls go on afterwards."""
        async with self._paused():
            return self._counts.sample(tasks=len(asyncio.all_tasks()))

    @asynccontextmanager
    async def _paused(self) -> AsyncIterator[None]:
        self._may_call.clear()
        try:
            while self._under_way:
                await asyncio.wait(self._under_way)
            yield
        finally:
            self._may_call.set()

    async def _call(self) -> None:
        call = random_call(self._rng)
        began_s = self._clock.monotonic()
        try:
            answer = await getattr(self._stub, call.method)(call.request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            self._counts.failed(call, error)
        else:
            self._counts.answered(call, answer, self._clock.monotonic() - began_s)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._slots.release()


async def main(target: str, calls_per_s: float, seed: str) -> None:
    """Call until the input ends."""
    clock, rng = SystemClock(), random.Random(seed)
    async with discovery.open_channel(target, service_config=CONFIG) as channel:
        await channel.channel_ready()
        load = SteadyLoad(
            InventoryServiceStub(channel), calls_per_s=calls_per_s, clock=clock, rng=rng
        )
        running = asyncio.create_task(load.run())
        try:
            async for _ in _lines():
                print(json.dumps(asdict(await load.sample())), flush=True)
        finally:
            running.cancel()
            await asyncio.wait([running])
    if not running.cancelled() and (error := running.exception()) is not None:
        raise error


async def _lines() -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
