"""The breaker is asked before each attempt; a refused attempt reaches no instance."""

import asyncio
import random
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery.errors import RefusalReason
from discovery.rules.method import Kind
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.hedged_instances import hedged_instances
from tests.support.discovery.killable_instances import killable_instances
from tests.support.discovery.probe_service import Open, Refusal, Start, path, ready, subchannels


class Certain(random.Random):
    """A random source that always draws 0, so that everything that may be refused is refused."""

    def random(self) -> float:
        return 0.0


def failing_method(channel: discovery.Channel, method: str) -> Any:
    """A method whose breaker has recorded failures of every attempt."""
    callable_ = channel.unary_unary(path(method))
    outcomes = channel._stacks.methods[path(method), Kind.UNARY_UNARY].outcomes
    for _ in range(30):
        outcomes.failed(channel.clock.monotonic(), object())
    return callable_


async def test_calls_of_a_failing_method_are_refused(start: Start, open_to: Open) -> None:
    """Refusals carry a reason, aren't retried, count against no instance and
    spare other methods.
    """
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
    assert subchannel.record.totals(channel.clock.monotonic())[1] == len(server.seen)

    server.script.clear()
    assert await channel.unary_unary(path("Put"))(b"x") == b"a:x"


async def test_each_method_is_judged_by_itself(start: Start, open_to: Open) -> None:
    """A method is not refused because another method fails."""
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
    """The breaker can refuse a retry, so that a service that is down gets no extra attempts."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain())
    await ready(channel, 1)
    again = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    get = failing_method(channel, "Get")
    server.script.extend([again] * 3)

    # The breaker lets one attempt a second through, which is the first one here.
    with pytest.raises(grpc.aio.AioRpcError, match="scripted") as raised:
        await get(b"x")

    assert not isinstance(raised.value, discovery.LocalRefusalError)
    assert len(server.seen) == 1


async def test_a_hedge_is_refused_like_any_attempt(start: Start, open_to: Open) -> None:
    """The breaker can refuse a hedge, so that a failing service gets no extra attempts."""
    instances = await hedged_instances(start, open_to, rng=Certain())
    failing_method(instances.channel, "Get")

    # The breaker lets one attempt a second through, which is the first one here.
    call = instances.call()
    await instances.first_sent()

    await instances.ends_without_hedge(call)


async def test_a_refused_attempt_picks_no_instance(start: Start, open_to: Open) -> None:
    """The list of recent picks has only attempts that were made."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain())
    await ready(channel, 1)
    get = failing_method(channel, "Get")
    assert await get(b"x") == b"a:x"

    with pytest.raises(discovery.LocalRefusalError):
        await get(b"x")

    assert [pick.method for pick in channel.explain().picks] == [path("Get")]


async def test_streams_are_refused_too(start: Start, open_to: Open) -> None:
    """The breaker refuses streams before they are opened."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock())
    await ready(channel, 1)
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 1000)

    details = set()
    for _ in range(100):
        call = channel.stream_stream(path("Chat"))()
        await call.code()
        details.add(await call.details())

    assert len(server.seen) < 60
    assert any("refused here" in text for text in details)


@pytest.mark.parametrize("code", [StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.DATA_LOSS])
async def test_answers_of_the_application_are_refused_by_nobody(
    start: Start, open_to: Open, code: StatusCode
) -> None:
    """A method that always answers INTERNAL says so to every caller, as in grpc.aio."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain())
    server.script.extend([Refusal(code)] * 52)

    codes = [await channel.unary_unary(path("Post"))(b"x").code() for _ in range(52)]

    assert codes == [code] * 52


async def test_after_an_outage_nothing_is_refused_a_second_after_the_first_success(
    start: Start, open_to: Open
) -> None:
    """An outage of 10 s with hundreds of failures is over for callers 1 s after it ended."""
    servers, clock = [await start(name) for name in "ab"], ManualClock()
    channel = open_to(*servers, clock=clock)
    await ready(channel, 2)
    post = channel.unary_unary(path("Post"))
    for server in servers:
        server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 10_000)
    for _ in range(10):
        for _ in range(30):
            with pytest.raises(grpc.aio.AioRpcError):
                await post(b"x")
        await clock.advance(1.0)
    for server in servers:
        server.script.clear()

    # The breaker lets one attempt a second through, which is this one.
    await post(b"x")
    await clock.advance(1.0)

    assert {await post(b"x") for _ in range(100)} <= {b"a:x", b"b:x"}


async def test_which_codes_count_can_be_configured(start: Start, open_to: Open) -> None:
    """`breaker.codes` replaces the signs of overload."""
    server = await start("a")
    config = {"breaker": {"codes": ["INTERNAL"]}}
    channel = open_to(server, clock=ManualClock(), rng=Certain(), service_config=config)
    server.script.extend([Refusal(StatusCode.INTERNAL)] * 52)

    codes = [await channel.unary_unary(path("Post"))(b"x").code() for _ in range(52)]

    assert StatusCode.UNAVAILABLE in codes


async def test_the_breaker_can_be_switched_off(start: Start, open_to: Open) -> None:
    """With `"breaker": false` every attempt is sent."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain(), service_config={"breaker": False})
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 52)
    post = channel.unary_unary(path("Post"))

    assert [await post(b"x").details() for _ in range(52)] == ["scripted"] * 52
    assert channel.explain().breakers == ()


async def test_answers_above_the_clients_limit_spare_small_ones(
    start: Start, open_to: Open
) -> None:
    """A message that is too large for this side says nothing about the instance or the method."""
    server = await start("a")
    limit = (("grpc.max_receive_message_length", 1000),)
    channel = open_to(server, clock=ManualClock(), rng=Certain(), options=limit)
    post = channel.unary_unary(path("Post"))

    for _ in range(30):
        with pytest.raises(grpc.aio.AioRpcError, match="message larger than max"):
            await post(bytes(2000))

    assert await post(b"x") == b"a:x"
    (view,) = channel.explain().instances
    assert (view.failures, view.ejected) == (0, None)


async def test_streams_of_messages_above_the_limit_spare_small_ones(
    start: Start, open_to: Open
) -> None:
    """The same holds for a stream, also after its first message."""
    server = await start("a")
    limit = (("grpc.max_receive_message_length", 1000),)
    channel = open_to(server, clock=ManualClock(), rng=Certain(), options=limit)
    chat = channel.stream_stream(path("Chat"))

    for requests in [[bytes(2000)], [b"x", bytes(2000)]] * 15:
        with pytest.raises(grpc.aio.AioRpcError, match="message larger than max"):
            [answer async for answer in chat(iter(requests))]

    assert [answer async for answer in chat(iter([b"x"]))] == [b"a:x"]
    assert channel.explain().instances[0].failures == 0


async def test_a_refused_retry_of_a_stream_ends_it_with_what_was_sent(
    start: Start, open_to: Open
) -> None:
    """An error that says that nothing was sent would be wrong after an attempt that was."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock(), rng=Certain())
    await ready(channel, 1)
    watch = channel.unary_stream(path("Watch"))
    outcomes = channel._stacks.methods[path("Watch"), Kind.UNARY_STREAM].outcomes
    for _ in range(30):
        outcomes.failed(channel.clock.monotonic(), object())
    server.script.append(Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),)))

    call = watch(b"x")

    assert (await call.code(), await call.details()) == (StatusCode.UNAVAILABLE, "scripted")
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["Post", "Watch"])
async def test_two_killed_instances_are_two_failures(method: str) -> None:
    """Two instances die with a dozen calls each; retries at the next ones must get through."""
    with killable_instances(2) as instances:
        target = "static:///" + ",".join(instances.addresses())
        async with discovery.open_channel(target) as channel:
            await ready(channel, 2)
            calls = [asyncio.create_task(_call(channel, method)) for _ in range(24)]
            await asyncio.to_thread(instances.accepted, 24)
            instances.kill()

            assert await asyncio.gather(*calls) == [StatusCode.UNAVAILABLE] * 24
            (breaker,) = channel.explain().breakers
            assert (breaker.attempts, breaker.accepted, breaker.refusing) == (2, 0, False)


async def _call(channel: discovery.Channel, method: str) -> StatusCode | None:
    """Call the method and return its status."""
    try:
        if method == "Watch":
            await channel.unary_stream(path(method))(b"x").read()
        else:
            await channel.unary_unary(path(method))(b"x")
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None
