"""No hedge is sent that comes too early, is unsafe, exceeds the budget or can't help."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from discovery.aio.layers import hedging
from discovery.call.call_state import CallState
from discovery.call.hedge_race import HedgeLimits
from discovery.rules import attempt_number
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.method import CLIENT_STREAMS, Kind, Method
from discovery.rules.retry_budget import RetryBudget
from discovery.rules.retry_policy import NO_RETRY
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.hedged_instances import CONFIG, hedged_instances
from tests.support.discovery.probe_service import Open, Refusal, Start, path, subchannels


async def test_no_hedge_before_the_p95(start: Start, open_to: Open) -> None:
    """A call that is answered within the p95 is not hedged."""
    instances = await hedged_instances(start, open_to)

    call = instances.call()
    await instances.slow.wait_for_calls(1)
    await instances.clock.wait_for_sleepers()
    await instances.clock.advance(0.09)

    await instances.ends_without_hedge(call)


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
    """Only safe methods with a hedgingPolicy are hedged."""
    instances = await hedged_instances(start, open_to, config=config, method=method)

    call = instances.call(method)
    await instances.slow.wait_for_calls(1)
    await instances.clock.advance(5.0)

    await instances.ends_without_hedge(call)


@pytest.mark.parametrize("kind", sorted(CLIENT_STREAMS, key=str))
def test_streams_of_requests_are_never_hedged(kind: Kind) -> None:
    """Streams of requests are never hedged: their requests can't be sent twice."""
    method = Method(
        path="/a.B/C",
        kind=kind,
        registered=False,
        safe=True,
        retry=NO_RETRY,
        timeout_s=None,
        default_timeout_s=None,
        wait_for_ready=False,
        waits=False,
        hedging=HedgingPolicy(),
    )
    layer = hedging.layer(clock=ManualClock(), budget=RetryBudget(), throttle=None)

    assert layer(method, below) is below


def test_a_call_that_waits_for_an_instance_is_not_hedged() -> None:
    """A call that waits for an instance isn't hedged, or the new instance would get both."""
    budget = RetryBudget()
    for _ in range(20):
        budget.deposit(0.0)
    waiting = CallState(b"", None, None, None, None, None)

    assert HedgeLimits(budget, None).second(waiting, 0.0) is None


async def test_hedges_have_no_reserve(start: Start, open_to: Open) -> None:
    """Hedges can't use the budget's reserve: four calls pay for no hedge (a fifth each)."""
    instances = await hedged_instances(start, open_to, calls=3)

    call = instances.call()
    await instances.first_sent()

    await instances.ends_without_hedge(call)


async def test_a_hedge_is_paid_out_of_the_budget(start: Start, open_to: Open) -> None:
    """Five calls pay for one hedge, not for two."""
    instances = await hedged_instances(start, open_to, calls=5)

    calls = [instances.call(), instances.call()]
    await instances.slow.wait_for_calls(2)
    await instances.first_sent(2)
    await instances.other.wait_for_calls(1)
    instances.slow.gate.set()
    await asyncio.gather(*calls)

    assert len(instances.other.seen) == 1


async def test_with_one_instance_nothing_is_hedged_or_paid(start: Start, open_to: Open) -> None:
    """With one instance nothing is hedged or charged: a second call would only add load."""
    instances = await hedged_instances(start, open_to)
    await instances.other.stop()
    while [one.state.name for one in subchannels(instances.channel)].count("READY") > 1:
        await instances.channel._balancer.change()

    call = instances.call()
    await instances.first_sent()
    instances.assert_not_hedged()
    instances.slow.gate.set()

    assert await call == f"{instances.slow.name}:x".encode()


async def test_a_published_throttle_bounds_hedges_too(start: Start, open_to: Open) -> None:
    """With half of retryThrottling's tokens gone, nothing is hedged (gRFC A6)."""
    throttled = {**CONFIG, "retryThrottling": {"maxTokens": 2, "tokenRatio": 0.1}}
    instances = await hedged_instances(start, open_to, config=throttled)
    instances.slow.gate.set()
    instances.slow.script.append(
        Refusal(grpc.StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),))
    )
    with pytest.raises(grpc.aio.AioRpcError):
        await instances.call()
    instances.slow.gate.clear()
    instances.slow.seen.clear()

    call = instances.call()
    await instances.first_sent()
    instances.assert_not_hedged()
    instances.slow.gate.set()

    assert await call == f"{instances.slow.name}:x".encode()


async def test_without_a_p95_nothing_is_hedged(start: Start, open_to: Open) -> None:
    """The p95 needs 20 samples; before that nothing is hedged."""
    instances = await hedged_instances(start, open_to)
    latencies = instances.forget_latencies()
    for _ in range(19):
        latencies.add(0.1, instances.clock.monotonic())

    call = instances.call()
    await instances.slow.wait_for_calls(1)
    await instances.clock.advance(5.0)
    instances.assert_not_hedged()
    instances.slow.gate.set()

    assert await call == f"{instances.slow.name}:x".encode()


async def test_a_hedge_waits_for_2_ms_at_least(start: Start, open_to: Open) -> None:
    """The delay is at least 2 ms, or a p95 of microseconds would double every twentieth call."""
    instances = await hedged_instances(start, open_to)
    latencies = instances.forget_latencies()
    for _ in range(20):
        latencies.add(0.000_01, instances.clock.monotonic())

    call = instances.call()
    await instances.slow.wait_for_calls(1)

    assert instances.clock.next_wake_s == pytest.approx(0.002)
    instances.slow.gate.set()
    await call


async def test_a_hedge_is_refused_like_any_attempt(start: Start, open_to: Open) -> None:
    """A hedge that the breaker refuses isn't sent and isn't charged."""
    instances = await hedged_instances(start, open_to)

    call = instances.call()
    await instances.slow.wait_for_calls(1)
    known = instances.channel._stacks.methods[path("Get"), Kind.UNARY_UNARY]
    breaker = instances.channel._breakers.of(known)
    for _ in range(10_000):
        known.outcomes.failed(instances.clock.monotonic(), object())
    # The breaker has let its one attempt of this second through, and draws a refusal.
    breaker._tried_s = instances.clock.monotonic()
    breaker._rng = random.Random(7)
    await instances.first_sent()
    instances.assert_not_hedged()
    instances.slow.gate.set()

    assert await call == f"{instances.slow.name}:x".encode()


async def test_a_call_below_a_retry_is_not_hedged(start: Start, open_to: Open) -> None:
    """A call made while answering a retry isn't hedged: only one layer multiplies."""
    instances = await hedged_instances(start, open_to)

    with attempt_number.bind(1):
        call = instances.call()
    await instances.slow.wait_for_calls(1)
    await instances.clock.advance(5.0)
    instances.assert_not_hedged()
    instances.slow.gate.set()
    await call

    assert instances.other.seen == []


async def test_no_hedge_that_would_miss_the_deadline(start: Start, open_to: Open) -> None:
    """A hedge that is due after the deadline isn't waited for."""
    instances = await hedged_instances(start, open_to)
    latencies = instances.forget_latencies()
    for _ in range(1000):
        latencies.add(90.0, instances.clock.monotonic())
    await instances.clock.advance(0.2)
    sleeping = instances.clock.sleeping

    call = instances.call(timeout=60.0)
    await instances.slow.wait_for_calls(1)

    # No timer was started for a hedge.
    assert instances.clock.sleeping == sleeping
    await instances.ends_without_hedge(call)


def below(_call: CallState) -> None:
    """The layer below."""
