"""Failed attempts are repeated on another instance if repeating can't double an effect."""

import asyncio

import grpc
import pytest
from grpc import StatusCode

from discovery.errors import NoInstanceError
from discovery.registry.instance import Resolution
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Probe, Refusal, Start, path, ready

PUSHBACK = "grpc-retry-pushback-ms"


def unavailable(pushback_ms: str | None = None) -> Refusal:
    """A server that answers UNAVAILABLE for now."""
    trailing = () if pushback_ms is None else ((PUSHBACK, pushback_ms),)
    return Refusal(StatusCode.UNAVAILABLE, trailing)


def calls(*probes: Probe) -> list[int]:
    """How many attempts each server has seen."""
    return [len(probe.seen) for probe in probes]


@pytest.mark.parametrize("method", ["Get", "Put"])
async def test_a_safe_method_is_attempted_on_another_instance(
    start: Start, open_to: Open, method: str
) -> None:
    """A retry avoids the instance that just failed while there is another."""
    broken, good = await start("broken"), await start("good")
    broken.script.extend([unavailable()] * 100)
    channel = open_to(broken, good, service_config={"loadBalancingConfig": [{"round_robin": {}}]})
    await ready(channel, 2)

    answers = [await channel.unary_unary(path(method))(b"x") for _ in range(10)]

    assert answers == [b"good:x"] * 10
    assert calls(broken, good) == [5, 10]
    assert {seen.metadata.get("x-discovery-attempt") for seen in broken.seen} == {None}


async def test_three_instances_fail_and_the_call_fails(start: Start, open_to: Open) -> None:
    """Three attempts go to three instances, and the last error is raised unchanged."""
    servers = [await start(name) for name in "abc"]
    channel = open_to(*servers)
    await ready(channel, 3)
    for server in servers:
        server.script.append(Refusal(StatusCode.UNAVAILABLE, (("who", server.name),)))

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await channel.unary_unary(path("Get"))(b"x")

    assert calls(*servers) == [1, 1, 1]
    last = max(
        servers, key=lambda server: int(server.seen[0].metadata.get("x-discovery-attempt", 0))
    )
    assert ("who", last.name) in tuple(failed.value.trailing_metadata())
    assert failed.value.details() == "scripted"


async def test_the_only_instance_is_tried_again(start: Start, open_to: Open) -> None:
    """A retry goes to the same instance if there is no other."""
    server = await start("a")
    server.script.extend([unavailable(), unavailable()])

    assert await open_to(server).unary_unary(path("Get"))(b"x") == b"a:x"
    assert calls(server) == [3]


async def test_an_unsafe_method_is_attempted_once(start: Start, open_to: Open) -> None:
    """An unsafe method isn't retried, because it may have taken effect."""
    server = await start("a")
    server.script.append(unavailable())

    with pytest.raises(grpc.aio.AioRpcError, match="scripted"):
        await open_to(server).unary_unary(path("Post"))(b"x")

    assert calls(server) == [1]


async def test_a_stopping_servers_cancelled_is_retried(start: Start, open_to: Open) -> None:
    """CANCELLED from a stopping server is retried, if the caller didn't cancel."""
    stopping, other = await start("a"), await start("b")
    channel = open_to(stopping, other)
    await ready(channel, 2)
    stopping.gate.clear()
    other.gate.clear()
    get = channel.unary_unary(path("Get"))
    waiting = [asyncio.ensure_future(get(b"x")) for _ in range(6)]
    await asyncio.gather(stopping.wait_for_calls(1), other.wait_for_calls(1))

    await stopping.stop()
    other.gate.set()

    assert await asyncio.gather(*waiting) == [b"b:x"] * 6


async def test_a_scripted_cancelled_is_retried_for_safe_methods_only(
    start: Start, open_to: Open
) -> None:
    """A server's CANCELLED is retried for safe methods only."""
    server = await start("a")
    channel = open_to(server)
    server.script.append(Refusal(StatusCode.CANCELLED))
    assert await channel.unary_unary(path("Get"))(b"x") == b"a:x"

    server.script.append(Refusal(StatusCode.CANCELLED))
    call = channel.unary_unary(path("Post"))(b"x")
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    assert call.cancelled()


async def test_killing_one_of_three_fails_no_safe_call(start: Start, open_to: Open) -> None:
    """When one of three instances dies, no call of a safe method fails."""
    servers = [await start(name) for name in "abc"]
    channel = open_to(*servers)
    await ready(channel, 3)
    get = channel.unary_unary(path("Put"))
    over = asyncio.Event()
    answers = 0

    async def keep_calling() -> None:
        nonlocal answers
        while not over.is_set():
            await get(b"x")
            answers += 1

    async with asyncio.TaskGroup() as callers:
        for _ in range(16):
            callers.create_task(keep_calling())
        await asyncio.gather(*(server.wait_for_calls(30) for server in servers))
        await servers[0].stop()
        for server in servers[1:]:
            await server.wait_for_calls(len(server.seen) + 100)
        over.set()

    assert answers > 200


async def test_pushback_is_waited_for_exactly(start: Start, open_to: Open) -> None:
    """A server's pushback of 250 ms is waited for without jitter."""
    server = await start("a")
    server.script.append(unavailable("250"))
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)

    call = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    await clock.wait_for_sleepers()
    assert clock.next_wake_s == 0.25
    await clock.advance(0.25)

    assert await call == b"a:x"
    assert calls(server) == [2]


@pytest.mark.parametrize("pushback_ms", ["-1", "soon"])
async def test_negative_or_malformed_pushback_stops(
    start: Start, open_to: Open, pushback_ms: str
) -> None:
    """Negative or malformed pushback stops the retries."""
    server = await start("a")
    server.script.append(unavailable(pushback_ms))

    with pytest.raises(grpc.aio.AioRpcError, match="scripted"):
        await open_to(server).unary_unary(path("Get"))(b"x")

    assert calls(server) == [1]


@pytest.mark.parametrize(("trailing", "attempts"), [((), 1), (((PUSHBACK, "0"),), 2)])
async def test_resource_exhausted_is_retried_only_with_pushback(
    start: Start, open_to: Open, trailing: tuple[tuple[str, str], ...], attempts: int
) -> None:
    """RESOURCE_EXHAUSTED is retried only if the server sends pushback."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.RESOURCE_EXHAUSTED, trailing))

    await asyncio.gather(open_to(server).unary_unary(path("Get"))(b"x"), return_exceptions=True)

    assert calls(server) == [attempts]


async def test_attempts_share_one_deadline(start: Start, open_to: Open) -> None:
    """All attempts share the deadline, and no delay beyond it is begun."""
    server = await start("a")
    server.script.extend([unavailable("20000"), unavailable("20000"), unavailable()])
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)

    call = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x", timeout=30.0))
    await clock.wait_for_sleepers()
    await clock.advance(20.0)

    with pytest.raises(grpc.aio.AioRpcError, match="scripted"):
        await call
    remaining_s = server.seen[1].time_remaining_s
    assert remaining_s is not None
    assert remaining_s < 11.0
    assert calls(server) == [2]


async def test_a_wait_that_outlasts_the_deadline_raises_the_last_error(
    start: Start, open_to: Open
) -> None:
    """If a delay outlasts the deadline on a busy loop, the attempt's error is raised."""
    server = await start("a")
    server.script.append(unavailable("20000"))
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)

    call = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x", timeout=30.0))
    await clock.wait_for_sleepers()
    clock._elapsed_s += 30.0
    await clock.advance(0.0)

    with pytest.raises(grpc.aio.AioRpcError, match="scripted"):
        await call
    assert calls(server) == [1]


async def test_the_budget_bounds_the_retries_of_all_calls(start: Start, open_to: Open) -> None:
    """An outage gets 100 retries plus a fifth of the calls, not three times the calls."""
    server = await start("a")
    server.script.extend([unavailable("0")] * 10_000)
    get = open_to(server, service_config={"breaker": False}).unary_unary(path("Get"))

    await asyncio.gather(*(get(b"x") for _ in range(200)), return_exceptions=True)

    assert calls(server) == [200 + 100 + 40]


async def test_the_service_config_decides_what_is_retried(start: Start, open_to: Open) -> None:
    """The service config sets the number of attempts and the codes, here two and ABORTED."""
    policy = {
        "maxAttempts": 2,
        "initialBackoff": "0.001s",
        "maxBackoff": "0.001s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["ABORTED"],
    }
    server = await start("a")
    config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
    get = open_to(server, service_config=config).unary_unary(path("Get"))

    server.script.extend([Refusal(StatusCode.ABORTED)] * 2)
    with pytest.raises(grpc.aio.AioRpcError, match="ABORTED"):
        await get(b"x")
    server.script.append(unavailable())
    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await get(b"x")

    assert calls(server) == [3]


async def test_nothing_to_pick_is_retried_even_for_unsafe_methods(
    start: Start, open_to: Open
) -> None:
    """A call that found no instance was not sent, so it is retried for unsafe methods too."""
    server = await start("a")
    channel = open_to(server)
    await ready(channel, 1)
    listed = channel._balancer._resolution
    channel._balancer.update(Resolution(2, ()))

    call = asyncio.ensure_future(channel.unary_unary(path("Post"))(b"x"))
    await asyncio.sleep(0)
    channel._balancer.update(Resolution(3, listed.instances))

    assert await call == b"a:x"
    assert "x-discovery-attempt" not in server.seen[0].metadata


async def test_with_nothing_to_pick_the_error_says_why(open_to: Open, start: Start) -> None:
    """The error names what was looked for, and why there is nothing."""
    server = await start("a")
    channel = open_to(server)
    await ready(channel, 1)
    channel._balancer.update(Resolution(2, (), "the agent is gone"))

    with pytest.raises(NoInstanceError, match=r"no instances of \S+ .*the agent is gone"):
        await channel.unary_unary(path("Get"))(b"x")
