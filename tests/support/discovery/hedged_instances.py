"""Instances of which the first is stuck, and a channel to them, for the tests of hedging."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import discovery
from discovery.rules.method import Kind
from discovery.rules.method_latency import Latencies
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Probe, Start, in_flight, path, ready

CONFIG = {
    # With pick_first it is known which instance gets the first attempt.
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2}}],
}


@dataclass
class HedgedInstances:
    """Instances in the order of the list, and a channel whose p95 is 100 ms.

    Nine of ten calls took 10 ms, one of ten took 100 ms.
    """

    slow: Probe
    other: Probe
    others: Sequence[Probe]
    clock: ManualClock
    channel: discovery.Channel

    def call(self, method: str = "Get", **options: Any) -> "asyncio.Task[bytes]":
        """A call whose first attempt doesn't end before the gate opens."""

        async def answer() -> bytes:
            return await self.channel.unary_unary(path(method))(b"x", **options)

        return asyncio.get_running_loop().create_task(answer())

    async def first_sent(self, sleepers: int = 1) -> None:
        """Return once the first instance has the call and the hedge is due."""
        await self.slow.wait_for_calls(1)
        await self.clock.wait_for_sleepers(sleepers)
        await self.clock.advance(0.11)

    def assert_not_hedged(self) -> None:
        """Check that no hedge is in flight and none was charged to the budget."""
        assert in_flight(self.channel) == 1
        assert self.channel._budget.spent == 0

    async def ends_without_hedge(self, call: "asyncio.Task[bytes]") -> None:
        """Check that the call gets the first attempt's answer, without a hedge."""
        self.assert_not_hedged()
        self.slow.gate.set()
        assert await call == f"{self.slow.name}:x".encode()
        assert self.other.seen == []

    async def until_in_flight(self, number: int) -> None:
        """Return once this many attempts are left."""
        while in_flight(self.channel) != number:  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0)

    def forget_latencies(self, method: str = "Get") -> Latencies:
        """Clear the measured latencies of the method and return their record."""
        latencies = self.channel._stacks.methods[path(method), Kind.UNARY_UNARY].latencies
        latencies._samples.clear()
        return latencies


async def hedged_instances(
    start: Start,
    open_to: Open,
    *,
    config: Mapping[str, Any] = CONFIG,
    method: str = "Get",
    calls: int = 20,
    names: str = "ab",
    **options: Any,
) -> HedgedInstances:
    """Ready instances, with `calls` calls in the budget; the first instance is stuck."""
    servers = sorted([await start(name) for name in names], key=lambda probe: probe.address)
    clock = ManualClock()
    channel = open_to(*servers, clock=clock, service_config=config, **options)
    await ready(channel, len(servers))
    get: Any = channel.unary_unary(path(method))
    await get(b"warm up")
    for _ in range(calls - 1):
        await get(b"pay")
    # What the calls above found as the delay of a hedge holds for 0.1 s.
    await clock.advance(0.2)
    known = channel._stacks.methods[path(method), Kind.UNARY_UNARY]
    for number in range(1000):
        known.latencies.add(0.01 if number % 10 else 0.1, clock.monotonic())
    for server in servers:
        server.seen.clear()
    servers[0].gate.clear()
    return HedgedInstances(servers[0], servers[1], servers[2:], clock, channel)
