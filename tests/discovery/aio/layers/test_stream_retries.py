"""A stream of responses is retried before its first message; streams of requests never are."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
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

UNAVAILABLE = Refusal(StatusCode.UNAVAILABLE)


async def test_a_failure_before_the_first_message_is_retried(start: Start, open_to: Open) -> None:
    """The retry goes to another instance with the attempt header; the caller sees one stream."""
    broken, good = await start("broken"), await start("good")
    channel = open_to(broken, good, service_config={"loadBalancingConfig": [{"round_robin": {}}]})
    await ready(channel, 2)
    broken.script.extend([UNAVAILABLE] * 10)
    watch = channel.unary_stream(path("Watch"))

    for _ in range(4):
        messages = [message async for message in watch(b"x")]
        assert messages == [b"good:x0", b"good:x1", b"good:x2"]

    assert (len(broken.seen), len(good.seen)) == (2, 4)
    assert [seen.metadata.get("x-discovery-attempt") for seen in good.seen].count("1") == 2
    assert in_flight(channel) == 0


async def test_the_next_attempt_gets_what_remains(start: Start, open_to: Open) -> None:
    """The next attempt gets the time left, so that retries don't extend a stream's deadline."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "2000"),)))
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)
    reading = asyncio.ensure_future(channel.unary_stream(path("Watch"))(b"x", timeout=5.0).read())
    await clock.wait_for_sleepers()

    await clock.advance(2.0)

    assert await reading == b"a:x0"
    first, second = (seen.time_remaining_s or 99.0 for seen in server.seen)
    assert second < 4.0 < first


async def test_a_failure_after_the_first_message_is_not_retried(
    start: Start, open_to: Open
) -> None:
    """A stream isn't retried after the caller has seen a message."""
    server = await start("a")
    call = open_to(server).unary_stream(path("Watch"))(b"then fail")

    assert await call.read() == b"a:then fail0"
    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await call.read()
    assert len(server.seen) == 1
    assert await call.code() is StatusCode.UNAVAILABLE


async def test_a_stream_whose_initial_metadata_was_seen_is_not_retried(
    start: Start, open_to: Open
) -> None:
    """A stream isn't retried after the caller has seen its initial metadata."""
    server = await start("a")
    server.gate.clear()
    server.script.append(UNAVAILABLE)
    call = open_to(server).unary_stream(path("Watch"))(b"headers")

    await call.initial_metadata()
    server.gate.set()

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await call.read()
    assert len(server.seen) == 1


async def test_initial_metadata_is_that_of_the_attempt_that_got_any(
    start: Start, open_to: Open
) -> None:
    """Initial metadata is that of the first attempt that receives any."""
    server = await start("a")
    server.script.extend([UNAVAILABLE] * 2)
    call = open_to(server).unary_stream(path("Watch"))(b"x")

    await call.initial_metadata()

    assert await call.read() == b"a:x0"
    assert len(server.seen) == 3


async def test_the_last_error_is_raised_unchanged(start: Start, open_to: Open) -> None:
    """After three attempts, code, details and callbacks are those of the last one."""
    server = await start("a")
    server.script.extend([UNAVAILABLE, UNAVAILABLE, Refusal(UNAVAILABLE.code, (("n", "3"),))])
    call = open_to(server).unary_stream(path("Watch"))(b"x")
    ended: asyncio.Queue[Any] = asyncio.Queue()
    call.add_done_callback(ended.put_nowait)

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call.read()

    assert ("n", "3") in tuple(failed.value.trailing_metadata())
    assert ("n", "3") in tuple(await call.trailing_metadata())
    assert (len(server.seen), call.done()) == (3, True)
    assert await ended.get() is call


async def test_a_message_that_was_waited_with_counts_once(start: Start, open_to: Open) -> None:
    """The first message's latency counts once, however late the caller reads it."""
    clock = ManualClock()
    channel = open_to(await start("a"), clock=clock)
    await ready(channel, 1)
    call = channel.unary_stream(path("Watch"))(b"x")
    await call.wait_for_connection()

    await clock.advance(5.0)
    await call.read()

    (subchannel,) = subchannels(channel)
    assert subchannel.load.latency_s(clock.monotonic()) < 1.0


async def test_cancelling_between_attempts_ends_the_stream(start: Start, open_to: Open) -> None:
    """A stream can be cancelled while it waits for its next attempt."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "60000"),)))
    call = open_to(server).unary_stream(path("Watch"))(b"x")
    await server.wait_for_calls(1)

    assert call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("factory", "method"), [("stream_unary", "Upload"), ("stream_stream", "Chat")]
)
async def test_client_streams_are_attempted_once(
    start: Start, open_to: Open, factory: str, method: str
) -> None:
    """Streams of requests aren't retried: their requests can't be sent twice."""
    server = await start("a")
    server.script.append(UNAVAILABLE)
    call = getattr(open_to(server), factory)(path(method))()

    await call.done_writing()

    assert await call.code() is StatusCode.UNAVAILABLE
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("factory", "method"),
    [("unary_stream", "Watch"), ("stream_unary", "Upload"), ("stream_stream", "Chat")],
)
async def test_streams_fail_where_nothing_can_be_picked(factory: str, method: str) -> None:
    """With no instance to pick, every kind of stream fails with UNAVAILABLE."""
    async with discovery.open_channel("static:///127.0.0.1:1") as channel:
        channel_: Any = channel
        request = b"x" if factory == "unary_stream" else None
        call = getattr(channel_, factory)(path(method))(request)

        assert await call.code() is StatusCode.UNAVAILABLE
        assert "TRANSIENT_FAILURE" in await call.details()
        assert call.done()
        with pytest.raises(discovery.NoInstanceError):
            await (call if factory == "stream_unary" else call.read())
