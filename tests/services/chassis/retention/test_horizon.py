"""A feed whose older events were removed, and the consumers that follow it."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from sqlalchemy import Connection
from tradepost.event.v1 import event_service_pb2 as pb

from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.feed.errors import PositionTruncatedError
from services.chassis.log import event_horizon
from services.chassis.retention.slowest_consumer import (
    Confirmed,
    ConsumersUnknownError,
    SlowestConsumer,
)
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.event_consumer import NAME, consumer
from tests.support.chassis.event_source import NAME as FEED
from tests.support.chassis.event_source import Source, event_source
from tests.support.chassis.rich_status import refusal
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases


@pytest.fixture
async def source(databases: Databases) -> AsyncIterator[Source]:
    """Two aggregates of which one was removed; the other has events before and after it."""
    async with event_source(databases) as opened:
        await opened.append("ord_1", "Placed")
        await opened.append("ord_2", "Placed", "Confirmed")
        await opened.append("ord_1", "Confirmed")
        await opened.execute("DELETE FROM event WHERE stream = 'ord_2'")
        await opened.database.write(_raise, 3)
        yield opened


def _raise(connection: Connection, position: int) -> None:
    event_horizon.raise_horizon(connection, position, epoch="any")


async def test_a_feed_begins_after_the_last_event_that_was_removed(source: Source) -> None:
    """Older events that are left are not a feed: it would have gaps."""
    extent = await source.feed.extent()
    refused = await refusal(source.stub.ReadEvents(pb.ReadEventsRequest(after_position=1)))
    page = await source.stub.ReadEvents(pb.ReadEventsRequest(after_position=3))

    assert (extent.oldest, extent.head) == (4, 4)
    assert refused.facts == {"after_position": "1", "oldest_position": "4"}
    assert [each.position for each in page.events] == [4]


async def test_an_aggregate_that_is_left_has_all_its_events(source: Source) -> None:
    """A read of one aggregate may begin anywhere, unless that aggregate was removed."""
    read = source.stub.ReadEvents
    whole = await read(pb.ReadEventsRequest(aggregate_id="ord_1"))
    rest = await read(pb.ReadEventsRequest(aggregate_id="ord_1", after_position=1))
    removed = await refusal(read(pb.ReadEventsRequest(aggregate_id="ord_2")))

    assert [each.position for each in whole.events] == [1, 4]
    assert [each.position for each in rest.events] == [4]
    assert removed.reason == "POSITION_TRUNCATED"


async def test_the_horizon_never_falls(source: Source) -> None:
    """A lower position changes nothing."""
    await source.database.write(_raise, 2)

    assert await source.database.read(event_horizon.horizon) == 3


async def test_a_consumer_begins_at_the_oldest_event(source: Source, databases: Databases) -> None:
    """That holds for a new one and for one that is rewound to 0; other positions are refused."""
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await one.wait_for_position(4)
        assert await one.notes() == {"ord_1": ["Confirmed"]}
        assert await one.rewind() == 4
        await source.append("ord_3", "Placed")
        await one.wait_for_position(5)
        with pytest.raises(PositionTruncatedError):
            await one.rewind(1)

        assert await one.notes() == {"ord_1": ["Confirmed"], "ord_3": ["Placed"]}


async def test_the_slowest_consumer_is_found(source: Source, databases: Databases) -> None:
    """Consumers of other feeds don't count; one of another epoch has applied nothing."""
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await one.wait_for_position(4)
        await one.drain()
        await source.append("ord_3", "Placed")
        extent = await source.feed.extent()
        served = ConsumedFeeds(consumer_admin=one.consumer_admin)
        async with echo_server(name=NAME, consumed=served) as echo:
            of_this = SlowestConsumer(FEED, [echo.channel])
            of_another = SlowestConsumer("another", [echo.channel])
            confirmed = await of_this.confirmed(epoch=extent.epoch, head=extent.head)
            restored = await of_this.confirmed(epoch="restored", head=extent.head)
            unrelated = await of_another.confirmed(epoch=extent.epoch, head=extent.head)

    assert confirmed == Confirmed(4, NAME)
    assert restored == Confirmed(0, NAME)
    assert unrelated == Confirmed(5)


async def test_a_consumer_whose_feed_is_not_known_keeps_everything(
    databases: Databases,
) -> None:
    """A service that doesn't answer, or can't reach the feed, may have any consumer."""
    async with (
        grpc.aio.insecure_channel("unix:/nobody/listens/here") as nobody,
        consumer(databases, nobody, started=False) as one,
        echo_server(name=NAME, consumed=ConsumedFeeds(consumer_admin=one.consumer_admin)) as echo,
    ):
        for channel in (nobody, echo.channel):
            with pytest.raises(ConsumersUnknownError):
                await SlowestConsumer(FEED, [channel]).confirmed(epoch="any", head=9)
