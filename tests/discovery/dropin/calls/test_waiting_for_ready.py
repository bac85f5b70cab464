"""Calls to a server that is not there behave as in grpc.aio."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, outcome
from tests.support.discovery.dropin.scripted_server import (
    NO_LISTENER,
    path,
    reserved_port,
    scripted_server,
)

KINDS = pytest.mark.parametrize(
    ("kind", "method", "request_"),
    [
        ("unary_unary", "Unary", b"."),
        ("unary_stream", "Responses", b"."),
        ("stream_unary", "Requests", [b"."]),
        ("stream_stream", "Both", [b"."]),
    ],
)


@KINDS
async def test_without_a_server(both: Both, kind: str, method: str, request_: Any) -> None:
    """A call without a server gives UNAVAILABLE."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_)
        ended = await outcome(all_of(call))
        return ended[:2], await call.code(), call.done(), call.cancelled()

    await both(program, address=NO_LISTENER)


@KINDS
async def test_waiting_for_ready_until_the_deadline(
    both: Both, kind: str, method: str, request_: Any
) -> None:
    """With wait_for_ready a call waits until its deadline."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_, wait_for_ready=True, timeout=0.4)
        ended = await outcome(all_of(call))
        return ended[:2], await call.code(), call.done()

    await both(program, address=NO_LISTENER)


@KINDS
async def test_a_waiting_call_is_cancelled(
    aio: Both, kind: str, method: str, request_: Any
) -> None:
    """A waiting call can be cancelled."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_, wait_for_ready=True)
        await channel.wait_for_state_change(grpc.ChannelConnectivity.IDLE)
        said = call.done(), call.cancel()
        return said, await outcome(all_of(call)), await call.code()

    await aio(program, address=NO_LISTENER)


@KINDS
async def test_a_waiting_call_is_sent_when_the_server_starts(
    aio: Both, kind: str, method: str, request_: Any
) -> None:
    """A waiting call is sent when the server starts."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(request_, wait_for_ready=True, timeout=60)
        awaiting = asyncio.ensure_future(outcome(all_of(call)))
        while channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            await channel.wait_for_state_change(channel.get_state())
        async with scripted_server(port=port):
            return await awaiting, await call.code()

    with reserved_port() as port:
        await aio(program, address=f"127.0.0.1:{port}")


async def test_the_server_stops_while_calls_are_in_flight(aio: Both) -> None:
    """Calls in flight fail with the code that the server's end gives them."""

    async def program(channel: Any, _: Any) -> Any:
        async with scripted_server(port=port) as going:
            unary = channel.unary_unary(path("Unary"))(b"?", timeout=60)
            reading = channel.unary_stream(path("Responses"))(b".?", timeout=60)
            first = await reading.read()
            await going.entered.wait()
        return first, (await outcome(unary))[1], (await outcome(reading.read()))[1]

    with reserved_port() as port:
        await aio(program, address=f"127.0.0.1:{port}")
