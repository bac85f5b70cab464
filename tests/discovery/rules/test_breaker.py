"""A method that fails everywhere is asked less, and never not at all."""

import logging
import random
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery.errors import RefusalReason
from discovery.rules.breaker import Breaker
from discovery.rules.method import Kind
from discovery.rules.outcome_window import Outcomes
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Refusal, Start, path, ready, subchannels
from tests.support.discovery.slow_instance import world


def breaker(*, accepted: int = 0, failed: int = 0) -> tuple[Breaker, Outcomes]:
    """A breaker after some attempts at 100 s, one of which it has just let through."""
    outcomes = Outcomes()
    made = Breaker("/a.B/C", outcomes, random.Random(3))
    made.refuses(100.0)
    outcomes.calls.extend([100.0] * accepted)
    for _ in range(failed):
        outcomes.failed(100.0)
    return made, outcomes


class Certain(random.Random):
    """Draws the lowest number, always: whatever may be refused is."""

    def random(self) -> float:
        return 0.0


def failing_method(channel: discovery.Channel, method: str) -> Any:
    """A method that failed everywhere, as the channel's breaker knows."""
    callable_ = channel.unary_unary(path(method))
    outcomes = channel._methods[path(method), Kind.UNARY_UNARY].outcomes
    for _ in range(30):
        outcomes.failed(channel.clock.monotonic(), object())
    return callable_


def refused(one: Breaker, outcomes: Outcomes, *, now_s: float, of: int = 1000) -> int:
    """How many of so many attempts are refused if all others fail."""
    number = 0
    for _ in range(of):
        if one.refuses(now_s):
            number += 1
        else:
            outcomes.failed(now_s)
    return number


@pytest.mark.parametrize(
    ("accepted", "failed", "refuses"), [(0, 19, 0), (0, 20, 1), (10, 10, 0), (50, 50, 0)]
)
def test_it_takes_20_attempts_more_than_half_of_them_failed(
    accepted: int, failed: int, refuses: int
) -> None:
    """K = 2: while half is accepted, nothing is refused."""
    one, _ = breaker(accepted=accepted, failed=failed)

    assert sum(one.refuses(100.1) for _ in range(4)) >= refuses
    assert one.refusing is bool(refuses)


def test_what_one_instance_took_along_refuses_nothing() -> None:
    """An instance dies with a dozen calls: the others take them on, and retries get through."""
    outcomes, dead = Outcomes(), object()
    one = Breaker("/a.B/C", outcomes, random.Random(3))
    one.refuses(100.0)
    outcomes.calls.extend([100.0] * 9)
    for _ in range(12):
        outcomes.failed(100.0, dead)
    assert not any(one.refuses(100.1) for _ in range(50))

    outcomes.failed(100.2, object())
    assert any(one.refuses(100.3) for _ in range(50))


def test_where_nothing_is_accepted_one_instance_is_enough() -> None:
    """It may be the only one there is; and what is over is forgotten with the window."""
    outcomes, only = Outcomes(), object()
    one = Breaker("/a.B/C", outcomes, random.Random(3))
    one.refuses(100.0)
    for _ in range(20):
        outcomes.failed(100.0, only)
    assert any(one.refuses(100.1) for _ in range(50))

    outcomes.forget_old(120.0)
    assert not outcomes.culprits


def test_the_more_fails_the_more_is_refused() -> None:
    """(requests - 2 x accepted) / (requests + 1): a third of these."""
    tries = 0
    for seed in range(1000):
        outcomes = Outcomes()
        one = Breaker("/a.B/C", outcomes, random.Random(seed))
        one.refuses(100.0)
        outcomes.calls.extend([100.0] * 100)
        for _ in range(200):
            outcomes.failed(100.0)
        tries += one.refuses(100.1)

    assert 280 < tries < 390


def test_some_always_try() -> None:
    """With nothing accepted, one in ten."""
    one, outcomes = breaker(failed=1000)

    assert 850 < refused(one, outcomes, now_s=100.5) < 950


def test_one_a_second_tries_however_few_there_are() -> None:
    """A service that is called seldom would otherwise be away for long."""
    one, _ = breaker(failed=1000)

    assert not one.refuses(101.0)
    assert not one.refuses(102.0)
    assert sum(one.refuses(102.5) for _ in range(20)) > 10


def test_what_is_refused_counts_as_a_request() -> None:
    """Else the share that is refused would never reach its measure."""
    one, outcomes = breaker(failed=100)
    before = len(outcomes.calls)

    while not one.refuses(100.1):
        pass

    assert len(outcomes.calls) == before + 1


def test_10_s_later_all_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """And each change is one line."""
    caplog.set_level(logging.INFO, "discovery.rules.breaker")
    one, outcomes = breaker(failed=100)
    refused(one, outcomes, now_s=100.1)

    assert not any(one.refuses(110.2) for _ in range(20))
    assert caplog.messages == [
        "/a.B/C: the breaker refuses calls: 0 of 100 attempts accepted in 10 s",
        "/a.B/C: the breaker lets everything through again: 0 of 0 attempts accepted in 10 s",
    ]


async def test_a_service_that_fails_is_left_alone(start: Start, open_to: Open) -> None:
    """Refused here with a reason, not retried, not held against an instance, other methods go."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock())
    await ready(channel, 1)
    get = channel.unary_unary(path("Get"))
    final = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),))
    server.script.extend([final] * 1000)

    errors = []
    for _ in range(100):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await get(b"x")
        errors.append(failed.value)

    refusals = [one for one in errors if isinstance(one, discovery.LocalRefusalError)]
    assert 50 < len(refusals) < 80
    assert {(one.code(), one.reason) for one in refusals} == {
        (StatusCode.UNAVAILABLE, RefusalReason.BREAKER_OPEN)
    }
    assert len(server.seen) == 100 - len(refusals)
    (subchannel,) = subchannels(channel)
    assert len(subchannel.record.outcomes.failures) == len(server.seen)

    server.script.clear()
    assert await channel.unary_unary(path("Put"))(b"x") == b"a:x"


async def test_each_method_is_judged_by_itself(start: Start, open_to: Open) -> None:
    """One that failed once isn't refused because another fails always."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain())
    await ready(channel, 1)
    failing_method(channel, "Get")
    put = channel.unary_unary(path("Put"))
    server.script.append(Refusal(StatusCode.INTERNAL))
    with pytest.raises(grpc.aio.AioRpcError, match="INTERNAL"):
        await put(b"x")

    assert [await put(b"x") for _ in range(3)] == [b"a:x"] * 3


async def test_a_retry_is_refused_like_any_attempt(start: Start, open_to: Open) -> None:
    """A service that is wholly down isn't asked more by those who try again."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain())
    await ready(channel, 1)
    again = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    get = failing_method(channel, "Get")
    server.script.extend([again] * 3)

    with pytest.raises(discovery.LocalRefusalError):
        await get(b"x")

    # The first attempt is the one of each second that always tries.
    assert len(server.seen) == 1


async def test_a_hedge_is_refused_like_any_attempt(start: Start, open_to: Open) -> None:
    """A service that mostly fails isn't asked twice at a time by those who find it slow."""
    shop = await world(start, open_to, rng=Certain())
    failing_method(shop.channel, "Get")

    # The first attempt is the one of each second that always tries.
    call = shop.call()
    await shop.first_sent()

    await shop.ends_alone(call)


async def test_what_is_refused_picks_nobody(start: Start, open_to: Open) -> None:
    """The last picks are those of attempts that were made."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain())
    await ready(channel, 1)
    get = failing_method(channel, "Get")
    assert await get(b"x") == b"a:x"

    with pytest.raises(discovery.LocalRefusalError):
        await get(b"x")

    assert [pick.method for pick in channel.explain().picks] == [path("Get")]


async def test_streams_are_refused_too(start: Start, open_to: Open) -> None:
    """Before they are opened."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock())
    await ready(channel, 1)
    server.script.extend([Refusal(StatusCode.INTERNAL)] * 1000)

    details = set()
    for _ in range(100):
        call = channel.stream_stream(path("Chat"))()
        await call.code()
        details.add(await call.details())

    assert len(server.seen) < 60
    assert any("refused here" in text for text in details)
