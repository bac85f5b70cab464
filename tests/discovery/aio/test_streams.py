"""Streams of requests, of responses, and of both behave as in grpc.aio."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    Open,
    Refusal,
    Start,
    in_flight,
    path,
    ready,
    subchannels,
)


async def requests(*messages: bytes) -> AsyncIterator[bytes]:
    """An async iterator of requests."""
    for message in messages:
        yield message


async def test_responses_are_iterated(start: Start, open_to: Open) -> None:
    """`async for` reads a stream to its end, even if nothing else refers to the call."""
    watch = open_to(await start("a")).unary_stream(path("Watch"))

    assert [message async for message in watch(b"x")] == [b"a:x0", b"a:x1", b"a:x2"]


async def test_responses_are_read(start: Start, open_to: Open) -> None:
    """`read()` returns messages, then EOF every time."""
    call = open_to(await start("a")).unary_stream(path("Watch"))(b"x")

    messages = [await call.read() for _ in range(5)]

    assert messages == [b"a:x0", b"a:x1", b"a:x2", grpc.aio.EOF, grpc.aio.EOF]
    assert (call.done(), call.cancelled()) == (True, False)
    assert await call.code() is StatusCode.OK


async def test_reading_and_iterating_do_not_mix(start: Start, open_to: Open) -> None:
    """Mixing `read()` and iteration raises UsageError, as in grpc.aio."""
    call = open_to(await start("a")).unary_stream(path("Watch"))(b"x")
    await call.read()

    with pytest.raises(grpc.aio.UsageError):
        aiter(call)


@pytest.mark.parametrize("given", [[b"1", b"2"], (b"1", b"2"), iter([b"1", b"2"])])
async def test_requests_come_from_an_iterable(start: Start, open_to: Open, given: Any) -> None:
    """Requests may come from any iterable."""
    upload = open_to(await start("a")).stream_unary(path("Upload"))

    assert await upload(given) == b"a:12"


async def test_requests_come_from_an_async_iterator(start: Start, open_to: Open) -> None:
    """Requests may come from an async iterator; the response can be awaited repeatedly."""
    call = open_to(await start("a")).stream_unary(path("Upload"))(requests(b"1", b"2"))

    assert [await call, await call] == [b"a:12", b"a:12"]
    assert await call.code() is StatusCode.OK


async def test_requests_are_written(start: Start, open_to: Open) -> None:
    """Requests may be written; `done_writing()` may be called twice."""
    call = open_to(await start("a")).stream_unary(path("Upload"))()
    await call.write(b"1")
    await call.write(b"2")
    await call.done_writing()
    await call.done_writing()

    assert await call == b"a:12"
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"3")


async def test_writing_to_a_stream_with_an_iterator_is_refused(start: Start, open_to: Open) -> None:
    """`write()` on a stream with a request iterator raises UsageError, as in grpc.aio."""
    call = open_to(await start("a")).stream_unary(path("Upload"))(requests(b"1"))

    with pytest.raises(grpc.aio.UsageError):
        await call.write(b"2")
    with pytest.raises(grpc.aio.UsageError):
        await call.done_writing()
    assert await call == b"a:1"


async def test_a_bidirectional_stream_in_turns(start: Start, open_to: Open) -> None:
    """Requests can be written and responses read in turns."""
    call = open_to(await start("a")).stream_stream(path("Chat"))()

    for word in (b"1", b"2"):
        await call.write(word)
        assert await call.read() == b"a:" + word
    await call.done_writing()

    assert await call.read() is grpc.aio.EOF
    assert await call.code() is StatusCode.OK


async def test_a_bidirectional_stream_of_iterators(start: Start, open_to: Open) -> None:
    """Requests and responses can be iterated at the same time."""
    chat = open_to(await start("a")).stream_stream(path("Chat"))

    assert [answer async for answer in chat(requests(b"1", b"2"))] == [b"a:1", b"a:2"]


async def test_errors_are_raised_by_reading(start: Start, open_to: Open) -> None:
    """Reading raises the stream's error, and the call reports its status."""
    server = await start("a")
    channel = open_to(server)
    server.script.extend([Refusal(StatusCode.NOT_FOUND)] * 3)

    watching = channel.unary_stream(path("Watch"))(b"x")
    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await watching.read()
    assert await watching.code() is StatusCode.NOT_FOUND
    assert await watching.details() == "scripted"

    uploading = channel.stream_unary(path("Upload"))(requests(b"1"))
    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await uploading

    # Nothing is sent: if the server refuses before a request is sent, grpc.aio may answer INTERNAL.
    chatting = channel.stream_stream(path("Chat"))()
    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await chatting.read()


KINDS = pytest.mark.parametrize(
    ("factory", "method", "request_of"),
    [
        ("unary_stream", "Watch", lambda: b"x"),
        ("stream_unary", "Upload", lambda: None),
        ("stream_stream", "Chat", lambda: None),
    ],
)


@KINDS
async def test_a_stream_counts_in_flight_until_it_ends(
    start: Start, open_to: Open, factory: str, method: str, request_of: Callable[[], Any]
) -> None:
    """A stream counts as in flight until it ends, long after its first message."""
    server = await start("a")
    channel: Any = open_to(server)
    await ready(channel, 1)

    call = getattr(channel, factory)(path(method))(request_of())
    await server.wait_for_calls(1)
    assert in_flight(channel) == 1

    assert call.cancel()
    assert (call.done(), call.cancelled(), call.cancel()) == (True, True, False)
    assert in_flight(channel) == 0
    assert await call.code() is StatusCode.CANCELLED


@KINDS
async def test_a_dropped_stream_is_cancelled(
    start: Start, open_to: Open, factory: str, method: str, request_of: Callable[[], Any]
) -> None:
    """A stream that is collected unfinished is cancelled, as a unary call is."""
    server = await start("a")
    channel: Any = open_to(server)
    await ready(channel, 1)
    server.gate.clear()
    call = getattr(channel, factory)(path(method))(request_of())
    await server.wait_for_calls(1)

    del call
    gc.collect()

    assert in_flight(channel) == 0
    await server.was_cancelled()


@KINDS
async def test_a_stream_waits_for_an_instance(
    start: Start, open_to: Open, factory: str, method: str, request_of: Callable[[], Any]
) -> None:
    """A stream begins when an instance is connected, even if nothing awaits it."""
    server = await start("a")
    channel: Any = open_to(server)

    call = getattr(channel, factory)(path(method))(request_of())
    await server.wait_for_calls(1)

    assert call.cancel()


@KINDS
async def test_a_stream_dropped_before_it_began_leaves_nothing(
    start: Start, open_to: Open, factory: str, method: str, request_of: Callable[[], Any]
) -> None:
    """A stream that is collected before it was open leaves no task and no call."""
    channel: Any = open_to(await start("a"))
    getattr(channel, factory)(path(method))(request_of())
    gc.collect()

    await channel.channel_ready()
    assert in_flight(channel) == 0


async def test_a_reader_that_gives_up_cancels_the_stream(start: Start, open_to: Open) -> None:
    """Cancelling a reader cancels the stream, as in grpc.aio."""
    server = await start("a")
    channel = open_to(server)
    server.gate.clear()
    call = channel.unary_stream(path("Watch"))(b"x")
    reading = asyncio.ensure_future(call.read())
    await server.wait_for_calls(1)

    reading.cancel()
    await asyncio.wait([reading])

    assert reading.cancelled()
    await server.was_cancelled()
    assert call.cancelled()


async def test_callbacks_are_called_at_the_end(start: Start, open_to: Open) -> None:
    """Callbacks added before a stream is open, while it is, and after its end are all called."""
    server = await start("a")
    call = open_to(server).unary_stream(path("Watch"))(b"x")
    ended: asyncio.Queue[Any] = asyncio.Queue()
    call.add_done_callback(ended.put_nowait)
    await call.read()
    call.add_done_callback(ended.put_nowait)

    [await call.read() for _ in range(3)]
    assert [await ended.get(), await ended.get()] == [call, call]
    call.add_done_callback(ended.put_nowait)
    assert ended.get_nowait() is call


async def test_initial_metadata_arrives_before_the_first_message(
    start: Start, open_to: Open
) -> None:
    """Initial metadata can be read while no message has arrived."""
    server = await start("a")
    server.gate.clear()
    call = open_to(server).unary_stream(path("Watch"))(b"headers")

    assert ("served-by", "a") in tuple(await call.initial_metadata())
    server.gate.set()
    assert await call.read() == b"a:headers0"


async def test_a_streams_latency_is_that_of_its_first_message(start: Start, open_to: Open) -> None:
    """Latency ends with the first message; it begins with the last request written before it."""
    clock = ManualClock()
    channel = open_to(await start("a"), clock=clock)
    await ready(channel, 1)
    (subchannel,) = subchannels(channel)

    call = channel.stream_stream(path("Chat"))()
    await clock.advance(5.0)
    await call.write(b"1")
    await call.read()

    assert subchannel.load.latency_s(clock.monotonic()) < 1.0
    call.cancel()


async def test_time_remaining_of_a_stream(start: Start, open_to: Open) -> None:
    """A stream without a timeout has no deadline: streams have no default."""
    watch = open_to(await start("a")).unary_stream(path("Watch"))

    assert watch(b"x").time_remaining() is None
    assert 1.0 < watch(b"x", timeout=2.0).time_remaining() <= 2.0


async def test_streams_are_grpc_calls(start: Start, open_to: Open) -> None:
    """The calls have grpc.aio's types, which interceptors and instrumentation check."""
    channel = open_to(await start("a"))

    assert isinstance(channel.unary_stream(path("Watch"))(b"x"), grpc.aio.UnaryStreamCall)
    assert isinstance(channel.stream_unary(path("Upload"))(), grpc.aio.StreamUnaryCall)
    assert isinstance(channel.stream_stream(path("Chat"))(), grpc.aio.StreamStreamCall)
