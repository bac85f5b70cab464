"""A slow attempt of a safe method gets company, on another instance, within the budget."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery import attempts
from discovery.method import Kind
from tests.manual_clock import ManualClock
from tests.probe_service import Open, Probe, Refusal, Start, path, ready, subchannels

CONFIG = {
    # So that it is known who is asked first.
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2}}],
}
STOP = (("grpc-retry-pushback-ms", "-1"),)


@dataclass
class World:
    """Two instances, a clock, and a channel whose calls take 100 ms as a rule."""

    slow: Probe
    other: Probe
    clock: ManualClock
    channel: discovery.Channel

    def call(self, method: str = "Get", **options: Any) -> "asyncio.Task[bytes]":
        """A call whose first attempt doesn't end before the gate opens."""

        async def answer() -> bytes:
            return await self.channel.unary_unary(path(method))(b"x", **options)

        return asyncio.get_running_loop().create_task(answer())

    async def first_sent(self, sleepers: int = 1) -> None:
        """Return once the first instance has the call, and the hedge is due."""
        await self.slow.wait_for_calls(1)
        await self.clock.wait_for_sleepers(sleepers)
        await self.clock.advance(0.11)


async def world(
    start: Start,
    open_to: Open,
    *,
    config: Mapping[str, Any] = CONFIG,
    method: str = "Get",
    calls: int = 20,
) -> World:
    """Made ready, with `calls` calls in the budget; the first instance is stuck."""
    servers = sorted([await start("a"), await start("b")], key=lambda probe: probe.address)
    clock = ManualClock()
    channel = open_to(*servers, clock=clock, service_config=config)
    await ready(channel, 2)
    get = channel.unary_unary(path(method))
    await get(b"warm up")
    for _ in range(calls - 1):
        await get(b"pay")
    known = channel._methods[path(method), Kind.UNARY_UNARY]
    for _ in range(1000):
        known.latencies.add(0.1, clock.monotonic())
    for server in servers:
        server.seen.clear()
    servers[0].gate.clear()
    return World(servers[0], servers[1], clock, channel)


async def test_the_first_ok_wins_and_the_loser_is_cancelled(start: Start, open_to: Open) -> None:
    """After the p95 a second attempt goes elsewhere, and says that it is one."""
    shop = await world(start, open_to)

    call = shop.call()
    await shop.first_sent()

    assert await call == f"{shop.other.name}:x".encode()
    await shop.slow.was_cancelled()
    assert [seen.metadata.get("x-discovery-attempt") for seen in shop.other.seen] == ["1"]


async def test_trailers_are_the_winners(start: Start, open_to: Open) -> None:
    """The call speaks of the attempt that answered."""
    shop = await world(start, open_to)

    call = shop.channel.unary_unary(path("Get"))(b"x")
    await shop.first_sent()
    await call

    assert ("served-by", shop.other.name) in tuple(await call.trailing_metadata())


async def test_no_hedge_before_the_p95(start: Start, open_to: Open) -> None:
    """Most answers come in time."""
    shop = await world(start, open_to)

    call = shop.call()
    await shop.slow.wait_for_calls(1)
    await shop.clock.wait_for_sleepers()
    await shop.clock.advance(0.09)
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()
    assert shop.other.seen == []


async def test_a_loser_looks_slow(start: Start, open_to: Open) -> None:
    """It took at least so long; else it would be asked first again and again."""
    shop = await world(start, open_to)
    call = shop.call()
    await shop.first_sent()
    await call

    (loser,) = (
        one for one in subchannels(shop.channel) if one.instance.endpoint == shop.slow.address
    )
    # 100 ms, a little decayed since; the seed is 30.
    assert loser.load.latency_s(shop.clock.monotonic()) > 0.09


@pytest.mark.parametrize(
    ("config", "method"),
    [
        ({"loadBalancingConfig": [{"pick_first": {}}]}, "Get"),
        (CONFIG, "Post"),
    ],
)
async def test_only_safe_methods_that_ask_for_it_are_hedged(
    start: Start, open_to: Open, config: Mapping[str, Any], method: str
) -> None:
    """Opt-in, and never where it could double an effect."""
    shop = await world(start, open_to, config=config, method=method)

    call = shop.call(method)
    await shop.slow.wait_for_calls(1)
    await shop.clock.advance(5.0)
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()
    assert shop.other.seen == []


async def test_hedges_have_no_reserve(start: Start, open_to: Open) -> None:
    """Four calls pay for no hedge (a fifth each), though retries would have their 10/s."""
    shop = await world(start, open_to, calls=3)

    call = shop.call()
    await shop.first_sent()
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()
    assert shop.other.seen == []


async def test_a_hedge_is_paid_out_of_the_budget(start: Start, open_to: Open) -> None:
    """Five calls pay for one hedge, not for two."""
    shop = await world(start, open_to, calls=5)

    calls = [shop.call(), shop.call()]
    await shop.slow.wait_for_calls(2)
    await shop.first_sent(2)
    await shop.other.wait_for_calls(1)
    shop.slow.gate.set()
    await asyncio.gather(*calls)

    assert len(shop.other.seen) == 1


async def test_with_one_instance_nothing_is_hedged_or_paid(start: Start, open_to: Open) -> None:
    """A second call to the same instance would only load it more."""
    shop = await world(start, open_to)
    await shop.other.stop()
    while [one.state.name for one in subchannels(shop.channel)].count("READY") > 1:
        await shop.channel._balancer.change()
    paid = shop.channel._budget.spent

    call = shop.call()
    await shop.first_sent()
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()
    assert shop.channel._budget.spent == paid


async def test_who_answers_a_retry_doesnt_hedge(start: Start, open_to: Open) -> None:
    """Only one layer multiplies."""
    shop = await world(start, open_to)

    with attempts.bind(1):
        call = shop.call()
    await shop.slow.wait_for_calls(1)
    await shop.clock.advance(5.0)
    shop.slow.gate.set()
    await call

    assert shop.other.seen == []


async def test_a_failed_hedge_leaves_the_first_to_win(start: Start, open_to: Open) -> None:
    """The first OK, not the first answer."""
    shop = await world(start, open_to)
    shop.other.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()


async def test_a_fatal_error_is_the_answer(start: Start, open_to: Open) -> None:
    """NOT_FOUND is an answer: nobody waits for the other."""
    shop = await world(start, open_to)
    shop.other.script.append(Refusal(StatusCode.NOT_FOUND))

    call = shop.call()
    await shop.first_sent()

    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await call
    await shop.slow.was_cancelled()


async def test_pushback_of_either_stops(start: Start, open_to: Open) -> None:
    """One says "don't try again", the other fails too: that is the end, also for retry."""
    shop = await world(start, open_to)
    shop.other.script.append(Refusal(StatusCode.UNAVAILABLE, STOP))
    shop.slow.script.append(Refusal(StatusCode.UNAVAILABLE))

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    shop.slow.gate.set()

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await call
    assert (len(shop.slow.seen), len(shop.other.seen)) == (1, 1)


async def test_after_both_failed_retry_goes_on(start: Start, open_to: Open) -> None:
    """With the right number in the header."""
    shop = await world(start, open_to)
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    shop.other.script.append(refusal)
    shop.slow.script.append(refusal)

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    shop.slow.gate.set()

    assert await call in (b"a:x", b"b:x")
    headers = [
        int(seen.metadata.get("x-discovery-attempt", 0))
        for seen in (*shop.slow.seen, *shop.other.seen)
    ]
    assert sorted(headers) == [0, 1, 2]


async def test_cancelling_the_call_cancels_both(start: Start, open_to: Open) -> None:
    """Nothing is left behind."""
    shop = await world(start, open_to)
    shop.other.gate.clear()

    call = shop.call()
    await shop.first_sent()
    await shop.other.wait_for_calls(1)
    call.cancel()

    await shop.slow.was_cancelled()
    await shop.other.was_cancelled()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_no_hedge_that_could_not_leave_in_time(start: Start, open_to: Open) -> None:
    """With 50 ms left, 100 ms are too late."""
    shop = await world(start, open_to)

    call = shop.call(timeout=0.05)

    with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
        await call
    assert shop.other.seen == []
