"""A feed serves pages and streams of events, and refuses reads that it cannot answer in full."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from tradepost.event.v1 import event_service_pb2 as pb

from services.chassis.feed import feed_page
from services.chassis.feed.errors import PositionTruncatedError
from services.chassis.identity import caller
from services.chassis.identity.caller import Caller
from tests.support.chassis.event_source import (
    UNHEARD,
    Source,
    event_source,
    new_event,
    next_batch,
    read_events,
    text_of,
    type_named,
)
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases

Code = grpc.StatusCode


@pytest.fixture
async def source(databases: Databases) -> AsyncIterator[Source]:
    """A service with an empty log."""
    async with event_source(databases) as opened:
        yield opened


async def a_page(source: Source, **fields: Any) -> pb.ReadEventsResponse:
    return await source.stub.ReadEvents(pb.ReadEventsRequest(**fields))


async def positions(source: Source, **fields: Any) -> list[int]:
    return [event.position for event in (await a_page(source, **fields)).events]


async def refused(source: Source, **fields: Any) -> Refusal:
    return await refusal(source.subscribe(**fields).read())


async def test_an_event_carries_its_whole_envelope(source: Source) -> None:
    """An event carries its feed, epoch, position, aggregate, version, type, origin and payload."""
    (stored,) = await source.append("ord_1", "Placed")

    (event,) = (await a_page(source)).events

    assert (event.feed, event.aggregate_type, event.aggregate_id) == ("shop", "order", "ord_1")
    assert (event.position, event.aggregate_version) == (1, 1)
    assert (event.event_id, event.type) == (stored.event_id, type_named("Placed"))
    assert event.occur_time.ToMicroseconds() == int(stored.occur_time.timestamp() * 1_000_000)
    assert event.payload.type_url == f"type.googleapis.com/{event.type}"
    assert text_of(event) == "Placed"
    assert event.epoch == (await source.stub.GetFeed(pb.GetFeedRequest())).epoch != ""


async def test_a_feed_tells_who_recorded_an_event(source: Source) -> None:
    """An event of the feed names the person or the service that recorded it."""

    async def append_as(who: Caller, stream: str) -> None:
        caller.bind(who)
        await source.append(stream, "Placed")

    await asyncio.create_task(append_as(Caller(subject="alice"), "ord_1"))
    await asyncio.create_task(append_as(Caller(service="order"), "ord_2"))
    await asyncio.create_task(append_as(caller.UNKNOWN, "ord_3"))

    actors = [event.actor for event in (await a_page(source)).events]
    assert actors == ["person:alice", "service:order", ""]


async def test_get_feed_returns_the_extent(source: Source) -> None:
    """GetFeed returns oldest and head, for an empty log, a full one and a purged one."""
    empty = await source.stub.GetFeed(pb.GetFeedRequest())
    await source.append("ord_1", "Placed", "Confirmed", "Fulfilled")
    full = await source.stub.GetFeed(pb.GetFeedRequest())
    await source.execute("DELETE FROM event WHERE position < 3")
    purged = await source.stub.GetFeed(pb.GetFeedRequest())
    await source.execute("DELETE FROM event")
    gone = await source.stub.GetFeed(pb.GetFeedRequest())

    extents = [(each.oldest_position, each.head_position) for each in (empty, full, purged, gone)]
    assert extents == [(0, 0), (1, 3), (3, 3), (4, 3)]
    assert {each.feed for each in (empty, full)} == {"shop"}


async def test_a_page_says_how_far_it_got(source: Source) -> None:
    """A page ends at `next_position`, also if a filter dropped all events."""
    await source.append("ord_1", "Placed", "Confirmed")
    await source.append("ord_2", "Placed", "Rejected")

    page = await a_page(source, page_size=3)
    assert [event.position for event in page.events] == [1, 2, 3]
    assert (page.next_position, page.head_position) == (3, 4)
    assert await positions(source, after_position=3, page_size=3) == [4]
    assert await positions(source, types=[type_named("Placed"), type_named("Rejected")]) == [
        1,
        3,
        4,
    ]
    assert await positions(source, aggregate_id="ord_2") == [3, 4]
    assert await positions(source, aggregate_id="ord_2", types=[type_named("Placed")]) == [3]
    nothing = await a_page(source, types=[UNHEARD])
    assert (len(nothing.events), nothing.next_position, nothing.head_position) == (0, 4, 4)


async def test_a_filter_looks_through_a_bounded_part_of_the_log(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filtered page looks through a limited part of the log, then moves its position on."""
    monkeypatch.setattr(feed_page, "SCAN_MAX", 10)
    await source.append("ord_1", *["Placed"] * 25, "Confirmed")
    filters = {"types": [type_named("Confirmed")]}

    page = await a_page(source, **filters)
    assert (len(page.events), page.next_position) == (0, 10)
    assert await positions(source, after_position=20, **filters) == [26]
    (event,) = await next_batch(source.subscribe(**filters))
    assert event.position == 26


async def test_a_page_ends_before_it_outgrows_a_message(source: Source) -> None:
    """With large events, a page ends before it exceeds the size limit of a message."""
    await source.append_all("ord_1", [new_event("Placed", payload="x" * 1_000_000)] * 5)

    page = await a_page(source)
    assert [event.position for event in page.events] == [1, 2]
    assert page.next_position == 2
    assert await positions(source, after_position=2) == [3, 4]
    assert await positions(source, after_position=4) == [5]


async def test_a_subscription_follows_what_is_appended(source: Source) -> None:
    """A stream sends existing events, then new ones, in batches of at most max_batch."""
    await source.append("ord_1", "Placed", "Confirmed", "Fulfilled")
    async with asyncio.timeout(WAIT_S):
        call = source.subscribe(after_position=1, max_batch=1)
        batches = [await next_batch(call), await next_batch(call)]
        await source.append("ord_2", "Placed")
        batches.append(await next_batch(call))

    assert [[event.position for event in batch] for batch in batches] == [[2], [3], [4]]
    call.cancel()


async def test_what_another_instance_writes_is_followed(
    source: Source, databases: Databases
) -> None:
    """A stream sends events that another instance wrote."""
    async with event_source(databases, owner="second") as second, asyncio.timeout(WAIT_S):
        call = source.subscribe()
        for number in range(1, 21):
            await (source, second)[number % 2].append(f"ord_{number}", "Placed")
        events = await read_events(call, 20)

    assert [event.position for event in events] == list(range(1, 21))
    call.cancel()


async def test_silence_is_broken_by_heartbeats(databases: Databases) -> None:
    """If there is nothing to read, a heartbeat comes at once and then after every second."""
    clock = ManualClock()
    async with event_source(databases, clock=clock) as source, asyncio.timeout(WAIT_S):
        await source.append("ord_1", "Placed")
        call = source.subscribe(types=[UNHEARD])
        first = await call.read()
        second = asyncio.ensure_future(call.read())
        while not second.done():
            await clock.advance(0.25)
        assert clock.monotonic() >= 1.0

    for message in (first, await second):
        assert (message.heartbeat.position, message.heartbeat.head) == (1, 1)


async def test_a_subscription_moves_on_over_what_it_filtered(source: Source) -> None:
    """Heartbeats move the position past events that were filtered out."""
    async with asyncio.timeout(WAIT_S):
        call = source.subscribe(types=[type_named("Confirmed")])
        await source.append("ord_1", "Placed", "Confirmed", "Fulfilled")
        (event,) = await next_batch(call)
        heartbeat = (await call.read()).heartbeat

    assert (event.position, heartbeat.position, heartbeat.head) == (2, 3, 3)
    call.cancel()


async def test_positions_that_are_gone_are_refused(source: Source) -> None:
    """A position below the oldest event is OUT_OF_RANGE, with the oldest position."""
    await source.append("ord_1", *["Placed"] * 5)
    await source.execute("DELETE FROM event WHERE position < 4")
    reading = await refusal(source.stub.ReadEvents(pb.ReadEventsRequest(after_position=2)))
    following = await refused(source, after_position=0)

    assert (reading.code, reading.reason) == (Code.OUT_OF_RANGE, "POSITION_TRUNCATED")
    assert (following.code, following.reason) == (Code.OUT_OF_RANGE, "POSITION_TRUNCATED")
    assert reading.facts == {"after_position": "2", "oldest_position": "4"}
    assert await positions(source, after_position=3) == [4, 5]


async def test_a_subscriber_that_a_purge_overtakes_is_refused(source: Source) -> None:
    """A stream ends with OUT_OF_RANGE if its next events are purged."""
    await source.append("ord_1", *["Placed"] * 5)
    async with asyncio.timeout(WAIT_S):
        following = source.feed.follow(feed_page.FeedQuery(after_position=0, limit=1))
        await anext(following)
        await source.execute("DELETE FROM event WHERE position < 4")
        with pytest.raises(PositionTruncatedError):
            await anext(following)


async def test_positions_above_the_head_are_refused(source: Source) -> None:
    """A position above the head is OUT_OF_RANGE with the head; the head itself is valid."""
    await source.append("ord_1", "Placed")
    reading = await refusal(source.stub.ReadEvents(pb.ReadEventsRequest(after_position=2)))
    following = await refused(source, after_position=7)

    assert (reading.code, reading.reason) == (Code.OUT_OF_RANGE, "POSITION_AHEAD_OF_HEAD")
    assert following.facts == {"after_position": "7", "head_position": "1"}
    assert await positions(source, after_position=1) == []


async def test_another_epoch_is_refused(source: Source) -> None:
    """Another epoch than the log's is refused, also in the middle of a stream."""
    epoch = (await source.stub.GetFeed(pb.GetFeedRequest())).epoch
    async with asyncio.timeout(WAIT_S):
        call = source.subscribe(epoch=epoch)
        assert (await call.read()).heartbeat.head == 0
        await source.execute("UPDATE event_counter SET epoch = 'restored'")
        await source.append("ord_1", "Placed")
        overtaken = await refusal(call.read())
    new = await refused(source, epoch=epoch)

    for each in (overtaken, new):
        assert (each.code, each.reason) == (Code.FAILED_PRECONDITION, "EPOCH_CHANGED")
        assert each.facts == {"asked_epoch": epoch, "epoch": "restored"}


async def test_bad_requests_name_every_field(source: Source) -> None:
    """Invalid positions, types, sizes and names are all reported."""
    reading = await refusal(
        source.stub.ReadEvents(
            pb.ReadEventsRequest(after_position=-1, types=["", "a\nb"], aggregate_id="")
        )
    )
    sized = await refusal(source.stub.ReadEvents(pb.ReadEventsRequest(page_size=-1)))
    following = await refused(
        source, after_position=-1, max_batch=-1, consumer="x" * 201, types=["a"] * 101
    )

    assert reading.code is sized.code is following.code is Code.INVALID_ARGUMENT
    assert set(reading.bad_fields) == {"after_position", "types[0]", "types[1]", "aggregate_id"}
    assert set(sized.bad_fields) == {"page_size"}
    assert set(following.bad_fields) == {"after_position", "max_batch", "consumer", "types"}


async def test_a_type_that_the_feed_does_not_have_is_refused(source: Source) -> None:
    """A short or misspelled type is refused by page and stream, with the types that there are."""
    types = [type_named("Placed"), "Confirmed", "tradepost.testing.Confirmd"]

    reading = await refusal(source.stub.ReadEvents(pb.ReadEventsRequest(types=types)))
    following = await refused(source, types=types)

    for each in (reading, following):
        assert (each.code, each.reason) == (Code.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert set(each.bad_fields) == {"types[1]", "types[2]"}
        assert type_named("Confirmed") in each.bad_fields["types[1]"]
        assert "allow_unknown" in each.bad_fields["types[1]"]


async def test_a_topic_that_the_feed_does_not_have_is_refused(source: Source) -> None:
    """A misspelled topic is refused, with the topics that there are."""
    each = await refused(source, topic="choreografy")

    assert (each.code, set(each.bad_fields)) == (Code.INVALID_ARGUMENT, {"topic"})
    assert "choreography" in each.bad_fields["topic"]


async def test_a_consumer_that_is_newer_than_the_feed_allows_unknown_types(source: Source) -> None:
    """With allow_unknown a reader may name types and a topic of a later version."""
    newer = {"types": [type_named("Placed"), type_named("Of2031")], "allow_unknown": True}
    await source.append("ord_1", "Confirmed", "Placed")

    assert await positions(source, **newer) == [2]
    async with asyncio.timeout(WAIT_S):
        (event,) = await next_batch(source.subscribe(**newer))
        heartbeat = (await source.subscribe(topic="of2031", allow_unknown=True).read()).heartbeat
    assert (event.position, heartbeat.position) == (2, 2)
