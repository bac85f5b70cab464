"""Streams of requests, iterated or written, behave as in grpc.aio."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, ending, outcome
from tests.support.discovery.dropin.scripted_server import path

# What grpc.aio says of a request that it could not send any more.
UNSENT = "Internal error from Core"
KINDS = pytest.mark.parametrize(
    ("kind", "method"), [("stream_unary", "Requests"), ("stream_stream", "Both")]
)


async def _async(*requests: bytes) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


class TwoRequests:
    """An asynchronous iterable that is not a generator."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _async(b".1", b".2")


@KINDS
@pytest.mark.parametrize("form", ["list", "generator", "async", "empty", "iterable"])
async def test_requests_of_every_form(both: Both, kind: str, method: str, form: str) -> None:
    """Requests come from iterables and asynchronous iterables, also from empty ones."""

    async def program(channel: Any, _: Any) -> Any:
        requests = {
            "list": [b".1", b".2"],
            "generator": (request for request in (b".1", b".2")),
            "async": _async(b".1", b".2"),
            "empty": [],
            "iterable": TwoRequests(),
        }
        call = getattr(channel, kind)(path(method))(requests[form])
        return await all_of(call), await ending(call)

    await both(program)


@KINDS
async def test_requests_are_written(both: Both, kind: str, method: str) -> None:
    """Requests are written until `done_writing`, which may be called twice."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        said = [
            await call.write(b".1"),
            await call.write(b".2"),
            await call.done_writing(),
            await call.done_writing(),
        ]
        return said, await all_of(call), await ending(call)

    await both(program)


@KINDS
async def test_writing_after_done_writing(aio: Both, kind: str, method: str) -> None:
    """Writing after `done_writing` raises and doesn't end the call."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        await call.write(b".1")
        await call.done_writing()
        return await outcome(call.write(b".2")), await outcome(all_of(call))

    await aio(program)


@KINDS
async def test_writing_after_the_end(aio: Both, kind: str, method: str) -> None:
    """Writing after the end raises; `done_writing` does nothing."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        await call.write(b"!")
        await call.code()
        return (
            await outcome(call.write(b".2")),
            await outcome(call.done_writing()),
            await outcome(all_of(call)),
        )

    await aio(program)


@KINDS
async def test_writing_to_a_call_with_an_iterator(aio: Both, kind: str, method: str) -> None:
    """A call with a request iterator can't be written to."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))([b".1"])
        return (
            await outcome(call.write(b".2")),
            await outcome(call.done_writing()),
            await all_of(call),
        )

    await aio(program)


@KINDS
async def test_nothing_is_written(both: Both, kind: str, method: str) -> None:
    """A stream without requests is a valid stream."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        await call.done_writing()
        return await outcome(all_of(call)), await ending(call)

    await both(program)


async def test_the_server_answers_before_the_requests_end(both: Both) -> None:
    """A server's error ends the call, and the remaining requests aren't sent."""

    async def program(channel: Any, _: Any) -> Any:
        asked = []

        def requests() -> Iterator[bytes]:
            for request in (b".", b"!", *[b"." * 50_000] * 500):
                asked.append(request)
                yield request

        while True:
            asked.clear()
            call = channel.stream_unary(path("Requests"))(requests())
            ended = await outcome(call)
            # Now and then grpc.aio first says of either channel that a request could not be sent.
            if UNSENT not in ended:
                return ended, await call.code(), len(asked) < 500

    await both(program)


async def test_awaiting_before_writing(both: Both) -> None:
    """The response may be awaited before the requests are written."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_unary(path("Requests"))()
        awaiting = asyncio.ensure_future(outcome(call))
        await call.write(b".1")
        await call.done_writing()
        return await awaiting

    await both(program)


@KINDS
async def test_waiting_for_the_connection(aio: Both, kind: str, method: str) -> None:
    """`wait_for_connection` returns before the first request is written."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        connected = await outcome(call.wait_for_connection())
        seen = connected, call.done()
        await call.done_writing()
        return seen, await outcome(all_of(call))

    await aio(program)
