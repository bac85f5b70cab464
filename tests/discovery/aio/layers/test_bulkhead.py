"""The bulkhead bounds the calls in flight and the calls in its queue,
and refuses the rest at once.
"""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery.errors import LocalRefusalError, RefusalReason
from discovery.rules.bulkhead import Bulkhead
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    LONG_S,
    Open,
    Probe,
    Refusal,
    Start,
    path,
    ready,
)


async def full(
    start: Start, open_to: Open, *, calls: int = 1, queued: int = 2
) -> tuple[Probe, discovery.Channel, ManualClock, "asyncio.Task[Any]"]:
    """A channel whose slots are all taken by calls that wait for the server's gate."""
    server = await start("a")
    clock = ManualClock()
    config = {"bulkhead": {"maxCalls": calls, "maxQueued": queued}}
    channel = open_to(server, clock=clock, service_config=config)
    await ready(channel, 1)
    server.gate.clear()
    first = calling(channel, b"1")
    await server.wait_for_calls(1)
    return server, channel, clock, first


def calling(channel: discovery.Channel, request: bytes, **options: Any) -> "asyncio.Task[Any]":
    """A call under way."""

    async def call() -> bytes:
        return await channel.unary_unary(path("Get"))(request, **options)

    return asyncio.get_running_loop().create_task(call())


def bulkhead(channel: discovery.Channel) -> Bulkhead:
    """The bulkhead of the channel."""
    assert channel._bulkhead is not None
    return channel._bulkhead


async def test_calls_queue_and_are_let_in_in_order(start: Start, open_to: Open) -> None:
    """Queued calls are let in first come, first served."""
    server, channel, clock, first = await full(start, open_to)
    others = [calling(channel, b"2"), calling(channel, b"3")]
    await clock.settle()
    assert (len(server.seen), bulkhead(channel).queued) == (1, 2)

    server.gate.set()

    assert await asyncio.gather(first, *others) == [b"a:1", b"a:2", b"a:3"]
    assert [seen.request for seen in server.seen] == [b"1", b"2", b"3"]
    assert (bulkhead(channel).in_flight, bulkhead(channel).queued) == (0, 0)


async def test_a_full_queue_refuses_at_once(start: Start, open_to: Open) -> None:
    """A full queue refuses with RESOURCE_EXHAUSTED and a reason; nothing is sent or retried."""
    server, channel, clock, first = await full(start, open_to, queued=1)
    waiting = calling(channel, b"2")
    await clock.settle()

    with pytest.raises(LocalRefusalError) as refused:
        await calling(channel, b"3")

    assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.reason is RefusalReason.BULKHEAD_FULL
    server.gate.set()
    await asyncio.gather(first, waiting)
    assert len(server.seen) == 2


async def test_the_deadline_bounds_the_wait_in_the_queue(start: Start, open_to: Open) -> None:
    """A call whose deadline passes in the queue fails, and the next in the queue is let in."""
    server, channel, clock, first = await full(start, open_to)
    late = calling(channel, b"late", timeout=1.0)
    patient = calling(channel, b"patient", timeout=60.0)
    await clock.settle()

    await clock.advance(1.1)
    with pytest.raises(LocalRefusalError, match="deadline"):
        await late
    server.gate.set()

    assert await asyncio.gather(first, patient) == [b"a:1", b"a:patient"]
    assert [seen.request for seen in server.seen] == [b"1", b"patient"]


async def test_a_cancelled_call_leaves_the_queue(start: Start, open_to: Open) -> None:
    """A call that is cancelled in the queue takes no slot."""
    server, channel, clock, first = await full(start, open_to)
    gone, stays = calling(channel, b"gone"), calling(channel, b"stays")
    await clock.settle()

    gone.cancel()
    await asyncio.wait([gone])
    assert bulkhead(channel).queued == 1
    server.gate.set()

    assert await asyncio.gather(first, stays) == [b"a:1", b"a:stays"]
    assert bulkhead(channel).in_flight == 0


async def test_a_slot_given_to_a_cancelled_call_is_passed_on(start: Start, open_to: Open) -> None:
    """If a call is cancelled at the moment it is let in, the next one gets its slot."""
    server, channel, clock, first = await full(start, open_to)
    gone, stays = calling(channel, b"gone"), calling(channel, b"stays")
    await clock.settle()

    # A call of another task ends.
    bulkhead(channel).in_flight += 1
    bulkhead(channel).free()
    gone.cancel()
    await asyncio.wait([gone])
    server.gate.set()

    assert await asyncio.gather(first, stays) == [b"a:1", b"a:stays"]
    assert (bulkhead(channel).in_flight, bulkhead(channel).queued) == (0, 0)


async def test_an_attempt_begins_after_the_queue(start: Start, open_to: Open) -> None:
    """Time in the queue counts for the deadline, but not as an instance's latency."""
    server, channel, clock, first = await full(start, open_to)
    patient = calling(channel, b"2", timeout=60.0)
    await clock.settle()

    await clock.advance(5.0)
    server.gate.set()
    await asyncio.gather(first, patient)

    assert (server.seen[1].time_remaining_s or 99.0) < 58.0


async def test_a_cancelled_or_failed_call_frees_its_slot(start: Start, open_to: Open) -> None:
    """A call that is cancelled or fails frees its slot."""
    server, channel, clock, first = await full(start, open_to)
    waiting = calling(channel, b"2")
    await clock.settle()

    first.cancel()
    await server.wait_for_calls(2)
    server.script.append(Refusal(StatusCode.NOT_FOUND))
    server.gate.set()

    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await waiting
    assert bulkhead(channel).in_flight == 0


async def test_a_retried_call_keeps_its_slot(start: Start, open_to: Open) -> None:
    """A call queues once, however many attempts it takes."""
    server, channel, clock, first = await full(start, open_to)
    behind = calling(channel, b"2")
    await clock.settle()
    server.script.append(Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),)))

    server.gate.set()

    assert await asyncio.gather(first, behind) == [b"a:1", b"a:2"]
    assert [seen.request for seen in server.seen] == [b"1", b"1", b"2"]


@pytest.mark.parametrize(
    ("factory", "method"),
    [("unary_stream", "Watch"), ("stream_unary", "Upload"), ("stream_stream", "Chat")],
)
async def test_a_stream_holds_its_slot_until_it_ends(
    start: Start, open_to: Open, factory: str, method: str
) -> None:
    """A stream queues like any call and holds its slot until it ends."""
    server, channel, clock, first = await full(start, open_to)
    request = (b"x",) if factory == "unary_stream" else ()
    streams = [getattr(channel, factory)(path(method))(*request) for _ in range(2)]
    await clock.settle()
    assert (len(server.seen), bulkhead(channel).queued) == (1, 2)

    server.gate.set()
    await first
    for stream in streams:
        if request:
            assert len([message async for message in stream]) == 3
        else:
            await stream.done_writing()
        assert await stream.code() is StatusCode.OK

    assert (bulkhead(channel).in_flight, bulkhead(channel).queued) == (0, 0)


async def test_a_stream_cancelled_in_the_queue_leaves_it(start: Start, open_to: Open) -> None:
    """A stream that is cancelled in the queue is not sent and holds no slot."""
    server, channel, clock, first = await full(start, open_to)
    stream = channel.stream_stream(path("Chat"))()
    await clock.settle()

    assert stream.cancel()
    await clock.settle()
    assert bulkhead(channel).queued == 0
    server.gate.set()
    await first

    assert bulkhead(channel).in_flight == 0
    assert len(server.seen) == 1


@pytest.mark.parametrize("refusals", [0, 1])
async def test_a_call_that_nobody_awaits_gives_its_slot_back(
    start: Start, open_to: Open, refusals: int
) -> None:
    """The slot is free when the call has ended, awaited or not, also after a retry."""
    server = await start("a")
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * refusals)
    channel = open_to(server, service_config={"bulkhead": {"maxCalls": 1, "maxQueued": 2}})
    await ready(channel, 1)
    get = channel.unary_unary(path("Get"))

    unawaited = get(b"1")

    assert await get(b"2", timeout=60) == b"a:2"
    assert bulkhead(channel).in_flight == 0
    assert await unawaited == b"a:1"


async def test_a_collected_call_gives_its_slot_back(start: Start, open_to: Open) -> None:
    """A call that the program drops is cancelled, and its slot is free."""
    server, channel, _, first = await full(start, open_to)
    first.cancel()
    await asyncio.wait([first])
    await server.was_cancelled()
    dropped = channel.unary_unary(path("Get"))(b"1", timeout=LONG_S)
    await server.wait_for_calls(2)
    assert bulkhead(channel).in_flight == 1

    del dropped

    assert bulkhead(channel).in_flight == 0
    await server.was_cancelled()
