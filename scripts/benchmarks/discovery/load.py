"""Makes calls through one stack, at a concurrency or at a rate, and records how they end."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from discovery.clock import Clock

OK = "OK"
# Sends one call; returns the answer or raises AioRpcError.
Send = Callable[[], Awaitable[Any]]


@dataclass(slots=True)
class LoadResult:
    """The calls of one turn; `ended` holds (due_s, took_s, status) of each."""

    cpu_s: float = 0.0
    elapsed_s: float = 0.0
    ended: list[tuple[float, float, str]] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return len(self.ended)

    @property
    def codes(self) -> Mapping[str, int]:
        """The number of calls by status."""
        return Counter(code for _, _, code in self.ended)

    @property
    def failed(self) -> int:
        return sum(code != OK for _, _, code in self.ended)

    @property
    def latencies_ms(self) -> Sequence[float]:
        """The latencies of all calls, failed ones too."""
        return [1_000 * took_s for _, took_s, _ in self.ended]


async def closed(send: Send, *, calls: int, concurrency: int, clock: Clock) -> LoadResult:
    """Make `calls` calls by `concurrency` callers; each calls again when its call has ended.

    `cpu_s` is the processor time of this process with all its threads.
    """
    turn = LoadResult()

    async def call_again(number: int) -> None:
        for _ in range(number):
            await _send(send, clock.monotonic(), turn, clock)

    began_s, cpu_began_s = clock.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as callers:
        for _ in range(concurrency):
            callers.create_task(call_again(calls // concurrency))
    turn.cpu_s = time.process_time() - cpu_began_s
    turn.elapsed_s = clock.monotonic() - began_s
    return turn


async def steady(
    send: Send,
    *,
    rate_per_s: float,
    window_s: float,
    clock: Clock,
    until: asyncio.Event | None = None,
) -> LoadResult:
    """Make a call every 1 / rate seconds for the window, or until `until` is set.

    Calls don't wait for earlier ones. A latency counts from the instant at which the call was due,
    so a client that falls behind doesn't hide it.
    """
    turn = LoadResult()
    began_s = clock.monotonic()
    async with asyncio.TaskGroup() as calls:
        for number in range(int(rate_per_s * window_s)):
            due_s = began_s + number / rate_per_s
            if due_s > clock.monotonic():
                await clock.sleep(due_s - clock.monotonic())
            if until is not None and until.is_set():
                break
            calls.create_task(_send(send, due_s, turn, clock))
    turn.elapsed_s = clock.monotonic() - began_s
    return turn


async def _send(send: Send, due_s: float, turn: LoadResult, clock: Clock) -> None:
    try:
        await send()
    except grpc.aio.AioRpcError as error:
        code = error.code().name
    else:
        code = OK
    turn.ended.append((due_s, clock.monotonic() - due_s, code))
