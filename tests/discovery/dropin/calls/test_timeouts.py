"""Calls end at their deadline as in grpc.aio."""

from typing import Any

import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, ending, outcome
from tests.support.discovery.dropin.scripted_server import path

KINDS = pytest.mark.parametrize(
    ("kind", "method", "hangs", "answers"),
    [
        ("unary_unary", "Unary", b"?", b"."),
        ("unary_stream", "Responses", b"?", b"."),
        ("stream_unary", "Requests", [b"?"], [b"."]),
        ("stream_stream", "Both", [b"?"], [b"."]),
    ],
)


@KINDS
async def test_a_call_reaches_its_deadline(
    both: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """A call that reaches its deadline is DEADLINE_EXCEEDED on both sides,
    with the same details.
    """

    async def program(channel: Any, server: Any) -> Any:
        await channel.channel_ready()
        call = getattr(channel, kind)(path(method))(hangs, timeout=1.5)
        seen = await outcome(all_of(call)), await ending(call)
        await server.over.wait()
        return seen

    await both(program)


@KINDS
async def test_a_negative_timeout(
    both: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """A negative timeout ends the call at once with DEADLINE_EXCEEDED."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(answers, timeout=-0.5)
        ended = await outcome(all_of(call))
        return ended[:2], await call.code(), call.done(), call.cancelled()

    await both(program)


@KINDS
async def test_time_remaining(both: Both, kind: str, method: str, hangs: Any, answers: Any) -> None:
    """The time remaining is a float between zero and the timeout."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(answers, timeout=500)
        remaining = call.time_remaining()
        await all_of(call)
        return type(remaining), 400 < remaining <= 500

    await both(program)


@pytest.mark.parametrize(
    ("kind", "method", "request_"),
    [
        ("unary_stream", "Responses", b"."),
        ("stream_unary", "Requests", [b"."]),
        ("stream_stream", "Both", [b"."]),
    ],
)
async def test_a_stream_without_a_timeout(
    both: Both, kind: str, method: str, request_: Any
) -> None:
    """A stream without a timeout has no time remaining."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_)
        return call.time_remaining(), await all_of(call)

    await both(program)


async def test_a_stream_runs_out_of_time_in_the_middle(both: Both) -> None:
    """Messages before the deadline are read, then the error is raised."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        call = channel.unary_stream(path("Responses"))(b"..?", timeout=1.5)
        return [await outcome(call.read()) for _ in range(4)]

    await both(program)


@pytest.mark.parametrize("timeout_s", [1e9, 10**6, 0.5e7])
async def test_very_long_timeouts(both: Both, timeout_s: float) -> None:
    """Very long timeouts work."""

    async def program(channel: Any, _: Any) -> Any:
        return await channel.unary_unary(path("Unary"))(b".", timeout=timeout_s)

    await both(program)
