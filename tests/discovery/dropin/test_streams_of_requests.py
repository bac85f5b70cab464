"""Calls whose requests stream: given as iterators, or written."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, ending, outcome
from tests.support.discovery.dropin.scripted_server import path

KINDS = pytest.mark.parametrize(
    ("kind", "method"), [("stream_unary", "Requests"), ("stream_stream", "Both")]
)


async def _async(*requests: bytes) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


class TwoRequests:
    """An asynchronous iterable that is no generator."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _async(b".1", b".2")


@KINDS
@pytest.mark.parametrize("form", ["list", "generator", "async", "empty", "iterable"])
async def test_requests_of_every_form(both: Both, kind: str, method: str, form: str) -> None:
    """Iterables and asynchronous iterables, empty ones included."""

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
    """Until it is said that there are no more; saying so twice is no harm."""

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
async def test_writing_after_it_was_said_to_be_over(both: Both, kind: str, method: str) -> None:
    """Is an error, and not the end of the call."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        await call.write(b".1")
        await call.done_writing()
        return await outcome(call.write(b".2")), await outcome(all_of(call))

    await both(program)


@KINDS
async def test_writing_when_the_call_is_over(both: Both, kind: str, method: str) -> None:
    """Says so; closing does nothing."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        await call.write(b"!")
        await call.code()
        return (
            await outcome(call.write(b".2")),
            await outcome(call.done_writing()),
            await outcome(all_of(call)),
        )

    await both(program)


@KINDS
async def test_writing_beside_an_iterator(both: Both, kind: str, method: str) -> None:
    """Requests come one way or the other."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))([b".1"])
        return (
            await outcome(call.write(b".2")),
            await outcome(call.done_writing()),
            await all_of(call),
        )

    await both(program)


@KINDS
async def test_nothing_is_written(both: Both, kind: str, method: str) -> None:
    """An empty stream is a stream."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        await call.done_writing()
        return await outcome(all_of(call)), await ending(call)

    await both(program)


async def test_the_server_answers_before_the_requests_end(both: Both) -> None:
    """The refusal is what the call comes to; the rest of the requests isn't sent."""

    async def program(channel: Any, _: Any) -> Any:
        asked = []

        def requests() -> Iterator[bytes]:
            for request in (b".", b"!", *[b"." * 50_000] * 500):
                asked.append(request)
                yield request

        call = channel.stream_unary(path("Requests"))(requests())
        return await outcome(call), await call.code(), len(asked) < 500

    await both(program)


async def test_writing_awaits_nobody(both: Both) -> None:
    """The response may be awaited before the requests are there."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_unary(path("Requests"))()
        awaiting = asyncio.ensure_future(outcome(call))
        await call.write(b".1")
        await call.done_writing()
        return await awaiting

    await both(program)


@KINDS
async def test_waiting_for_the_connection(both: Both, kind: str, method: str) -> None:
    """Returns before the first request is written."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))()
        connected = await outcome(call.wait_for_connection())
        seen = connected, call.done()
        await call.done_writing()
        return seen, await outcome(all_of(call))

    await both(program)
