"""When no second attempt is sent: too early, unsafe, not paid for, or of no use."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from discovery.aio.layers import hedging
from discovery.call.call_state import CallState
from discovery.call.hedge_race import Hedges
from discovery.rules import attempt_number
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.method import CLIENT_STREAMS, Kind, Method
from discovery.rules.retry_budget import RetryBudget
from discovery.rules.retry_policy import NO_RETRY
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Refusal, Start, path, subchannels
from tests.support.discovery.slow_instance import CONFIG, world


async def test_no_hedge_before_the_p95(start: Start, open_to: Open) -> None:
    """Most answers come in time."""
    shop = await world(start, open_to)

    call = shop.call()
    await shop.slow.wait_for_calls(1)
    await shop.clock.wait_for_sleepers()
    await shop.clock.advance(0.09)

    await shop.ends_alone(call)


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

    await shop.ends_alone(call)


@pytest.mark.parametrize("kind", sorted(CLIENT_STREAMS, key=str))
def test_streams_of_requests_are_never_hedged(kind: Kind) -> None:
    """However safe the method: its requests are gone once they were sent."""
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


def test_a_call_that_waits_for_an_instance_gets_no_company() -> None:
    """In the instant that one comes, it would be sent there twice."""
    budget = RetryBudget()
    for _ in range(20):
        budget.deposit(0.0)
    waiting = CallState(b"", None, None, None, None, None)

    assert Hedges(budget, None).second(waiting, 0.0) is None


async def test_hedges_have_no_reserve(start: Start, open_to: Open) -> None:
    """Four calls pay for no hedge (a fifth each), though retries would have their 10/s."""
    shop = await world(start, open_to, calls=3)

    call = shop.call()
    await shop.first_sent()

    await shop.ends_alone(call)


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

    call = shop.call()
    await shop.first_sent()
    shop.assert_alone()
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()


async def test_a_published_throttle_bounds_hedges_too(start: Start, open_to: Open) -> None:
    """retryThrottling: with half of the tokens gone nothing is sent twice (gRFC A6)."""
    throttled = {**CONFIG, "retryThrottling": {"maxTokens": 2, "tokenRatio": 0.1}}
    shop = await world(start, open_to, config=throttled)
    shop.slow.gate.set()
    shop.slow.script.append(
        Refusal(grpc.StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),))
    )
    with pytest.raises(grpc.aio.AioRpcError):
        await shop.call()
    shop.slow.gate.clear()
    shop.slow.seen.clear()

    call = shop.call()
    await shop.first_sent()
    shop.assert_alone()
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()


async def test_without_a_p95_nothing_is_hedged(start: Start, open_to: Open) -> None:
    """19 answers don't say what is slow; 20 do."""
    shop = await world(start, open_to)
    latencies = shop.forget_latencies()
    for _ in range(19):
        latencies.add(0.1, shop.clock.monotonic())

    call = shop.call()
    await shop.slow.wait_for_calls(1)
    await shop.clock.advance(5.0)
    shop.assert_alone()
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()


async def test_a_hedge_waits_for_2_ms_at_least(start: Start, open_to: Open) -> None:
    """Where answers come at once, a p95 of microseconds would double every twentieth call."""
    shop = await world(start, open_to)
    latencies = shop.forget_latencies()
    for _ in range(20):
        latencies.add(0.000_01, shop.clock.monotonic())

    call = shop.call()
    await shop.slow.wait_for_calls(1)

    assert shop.clock.next_wake_s == pytest.approx(0.002)
    shop.slow.gate.set()
    await call


async def test_a_hedge_is_refused_like_any_attempt(start: Start, open_to: Open) -> None:
    """Where most calls fail everywhere, none is doubled; what wasn't sent isn't paid for."""
    shop = await world(start, open_to)

    call = shop.call()
    await shop.slow.wait_for_calls(1)
    known = shop.channel._methods[path("Get"), Kind.UNARY_UNARY]
    breaker = shop.channel._breakers.of(known)
    for _ in range(10_000):
        known.outcomes.failed(shop.clock.monotonic(), object())
    # This second's attempt that always tries was another; and the dice say no.
    breaker._tried_s = shop.clock.monotonic()
    breaker._rng = random.Random(7)
    await shop.first_sent()
    shop.assert_alone()
    shop.slow.gate.set()

    assert await call == f"{shop.slow.name}:x".encode()


async def test_who_answers_a_retry_doesnt_hedge(start: Start, open_to: Open) -> None:
    """Only one layer multiplies."""
    shop = await world(start, open_to)

    with attempt_number.bind(1):
        call = shop.call()
    await shop.slow.wait_for_calls(1)
    await shop.clock.advance(5.0)
    shop.assert_alone()
    shop.slow.gate.set()
    await call

    assert shop.other.seen == []


async def test_no_hedge_that_could_not_leave_in_time(start: Start, open_to: Open) -> None:
    """With 50 ms left, 100 ms are too late."""
    shop = await world(start, open_to)
    sleeping = shop.clock.sleeping

    call = shop.call(timeout=0.05)
    await shop.slow.wait_for_calls(1)

    # Nobody waits for the moment to send it.
    assert shop.clock.sleeping == sleeping
    with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
        await call
    assert shop.other.seen == []


def below(_call: CallState) -> None:
    """What the layer stands on."""
