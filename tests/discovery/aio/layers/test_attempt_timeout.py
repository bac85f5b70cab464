"""With perAttemptRecvTimeout a frozen instance doesn't use up the time of the call."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest

from discovery.aio.layers.attempt_timeout import first_message
from discovery.aio.sent import PendingStream
from discovery.aio.uncommitted_attempts import UncommittedAttempts
from discovery.balancing.instance_stats import InstanceStats
from discovery.call.call_state import CallState
from discovery.rules.method import Kind, Method
from discovery.rules.retry_decision import attempt_limit_s
from discovery.rules.retry_policy import DEFAULT_RETRY
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import SERVICE, Open, Probe, Start, path, ready

POLICY = {
    "maxAttempts": 2,
    "initialBackoff": "0.001s",
    "maxBackoff": "0.001s",
    "backoffMultiplier": 1,
    "perAttemptRecvTimeout": "0.2s",
}
CONFIG = {
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [{"name": [{"service": SERVICE}], "retryPolicy": POLICY}],
}


def ordered(*servers: Probe) -> list[Probe]:
    """The servers in the order in which pick_first picks them."""
    return sorted(servers, key=lambda server: server.address)


async def test_a_call_goes_on_to_another_instance(start: Start, open_to: Open) -> None:
    """The first attempt is given up, counts as a failure, and the second is answered."""
    frozen, well = ordered(await start("a"), await start("b"))
    frozen.gate.clear()
    channel = open_to(frozen, well, service_config=CONFIG)
    await ready(channel, 2)

    answer = await channel.unary_unary(path("Get"))(b"x", timeout=60.0)

    assert answer == f"{well.name}:x".encode()
    assert [one.failures for one in channel.explain().instances] == [1, 0]


async def test_a_stream_goes_on_to_another_instance(start: Start, open_to: Open) -> None:
    """A stream is given up while it has no message."""
    frozen, well = ordered(await start("a"), await start("b"))
    frozen.gate.clear()
    channel = open_to(frozen, well, service_config=CONFIG)
    await ready(channel, 2)

    answers: list[Any] = [
        answer async for answer in channel.unary_stream(path("Watch"))(b"x", timeout=60.0)
    ]

    assert answers == [f"{well.name}:x{number}".encode() for number in range(3)]
    assert [one.failures for one in channel.explain().instances] == [1, 0]


async def test_the_last_attempt_has_the_time_that_is_left(start: Start, open_to: Open) -> None:
    """The call ends at its own deadline, not at that of an attempt."""
    server = await start("a")
    server.gate.clear()
    channel = open_to(server, service_config=CONFIG)
    await ready(channel, 1)

    with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
        await channel.unary_unary(path("Get"))(b"x", timeout=4.0)

    remaining_s = [seen.time_remaining_s or 99.0 for seen in server.seen]
    assert [one < 0.25 for one in remaining_s] == [True, False]


async def test_a_method_that_is_not_safe_is_not_given_up(start: Start, open_to: Open) -> None:
    """No other attempt could follow."""
    server = await start("a")
    channel = open_to(server, service_config=CONFIG)
    await ready(channel, 1)

    assert await channel.unary_unary(path("Post"))(b"x", timeout=60.0) == b"a:x"

    assert (server.seen[0].time_remaining_s or 0.0) > 10.0


async def test_an_attempt_is_not_given_up_for_the_wait_for_an_instance() -> None:
    """It waits nearly as long as the limit for an instance, and then for its first message."""
    clock, call = ManualClock(), CallState(b"", None, None, None, None, None)
    call.uncommitted = UncommittedAttempts()

    async def messages() -> AsyncIterator[bytes]:
        await clock.sleep(0.15)
        yield b"first"

    async def start() -> Any:
        await clock.sleep(0.15)
        call.subchannel = call.attempt = InstanceInUse()
        return messages()

    reading = asyncio.ensure_future(first_message(method(), clock, PendingStream(start), call))
    await clock.advance(0.15)
    await clock.advance(0.15)

    assert (await reading).first == [b"first"]


def test_an_attempt_without_an_instance_counts_as_one() -> None:
    """No attempt follows the second one here, so it has the time that is left."""
    call = CallState(b"", None, None, None, None, None)
    call.turn_to_next()

    assert (call.attempts_before, call.failed_before) == (0, 1)
    assert attempt_limit_s(method().retry, 0, safe=True) == 0.2
    assert attempt_limit_s(method().retry, call.failed_before, safe=True) is None


class InstanceInUse:
    """An instance, and an attempt there: whoever gives it up would cancel it."""

    record = InstanceStats

    def cancel(self) -> None:
        raise AssertionError("it was given up")


def method() -> Method:
    """A stream of responses with the policy above."""
    return Method(
        path=path("Watch"),
        kind=Kind.UNARY_STREAM,
        registered=False,
        safe=True,
        retry=replace(DEFAULT_RETRY, max_attempts=2, attempt_timeout_s=0.2),
        timeout_s=None,
        default_timeout_s=None,
        wait_for_ready=False,
        waits=False,
    )
