"""An operator can rewind a running consumer, and events have no second effect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_pb2 import Subscription
from tradepost.event.v1.event_service_pb2_grpc import (
    SubscriptionServiceAsyncStub,
    SubscriptionServiceStub,
)

from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.inbox import ConsumerPosition
from services.chassis.work.lease import Claim, StaleLeaseError
from tests.support.bad_input.bad_values import REASON
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.event_consumer import NAME, Consumer, Notebook, consumer
from tests.support.chassis.event_source import Source, event_source
from tests.support.chassis.rich_status import refusal
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases

Code = grpc.StatusCode
REQUEST_ID = "6f1b3c52-52f1-4a0e-9d0f-6b8f0f6f2a11"


@pytest.fixture
async def source(databases: Databases) -> AsyncIterator[Source]:
    """The service whose feed is consumed."""
    async with event_source(databases) as opened:
        await opened.append("ord_1", "Placed", "Confirmed")
        await opened.append("ord_2", "Placed", "Unwritable", "Late")
        yield opened


@asynccontextmanager
async def served(one: Consumer) -> AsyncIterator[SubscriptionServiceAsyncStub]:
    """SubscriptionService over real gRPC."""
    consumed = ConsumedFeeds(consumer_admin=one.consumer_admin)
    async with echo_server(name=NAME, consumed=consumed) as echo:
        yield SubscriptionServiceStub(echo.channel)


async def test_a_rewind_delivers_again_and_changes_nothing(
    source: Source, databases: Databases
) -> None:
    """After a rewind, through any instance, all events are delivered again without new effects."""
    notebook = Notebook(unwritable={"Unwritable"})
    async with (
        consumer(databases, source.channel, notebook=notebook) as one,
        consumer(databases, source.channel, owner="asked", started=False) as asked,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(5)
        before, tried = (await one.notes(), await one.parked()), notebook.tried
        assert await asked.rewind() == 5
        await source.append("ord_3", "Placed")
        await one.wait_for_position(6)

        notes = await one.notes()
        assert notes.pop("ord_3") == ["Placed"]
        assert (notes, await one.parked()) == before
        # The three applied events and the new one; parked events are not tried again.
        assert notebook.tried == tried + 4


async def test_a_holder_that_was_rewound_writes_nothing_that_it_had_read(
    source: Source, databases: Databases
) -> None:
    """A rewind takes the lease away, so that the holder cannot write the batch it has read."""
    async with (
        consumer(databases, source.channel) as one,
        consumer(databases, source.channel, owner="asked", started=False) as asked,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(5)
        held = await one.database.read(one.leases.get, f"subscription/{NAME}")
        assert held is not None
        claim = Claim(held.subject, held.token, deadline=None, attempts=0)
        await one.crash()
        await one.database.write(one.leases.check, claim)
        await asked.rewind(2)

        with pytest.raises(StaleLeaseError):
            await one.database.write(one.leases.check, claim)
        assert await asked.position() == ConsumerPosition((await source.feed.extent()).epoch, 2)


async def test_another_instance_goes_on_where_the_feed_is_quiet(
    source: Source, databases: Databases
) -> None:
    """After a rewind, another instance takes the lease without waiting for an event."""
    async with (
        consumer(databases, source.channel) as one,
        consumer(databases, source.channel, owner="second", started=False) as two,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(5)
        two.start()
        assert await one.rewind() == 5
        while one.notebook.tried + two.notebook.tried < 10:
            committed = [asyncio.create_task(each.committed.wait()) for each in (one, two)]
            await asyncio.wait(committed, return_when=asyncio.FIRST_COMPLETED)
            for task in committed:
                task.cancel()
            one.committed.clear()
            two.committed.clear()

        assert await one.notes() == {
            "ord_1": ["Placed", "Confirmed"],
            "ord_2": ["Placed", "Unwritable", "Late"],
        }


async def test_every_instance_lists_the_position_of_a_consumer(
    source: Source, databases: Databases
) -> None:
    """ListSubscriptions returns no position before the first read, then the committed one.

    It says how far the feed is, how many positions the consumer is behind, and who follows it.
    """
    async with (
        consumer(databases, source.channel, started=False) as one,
        served(one) as stub,
        asyncio.timeout(WAIT_S),
    ):
        request = pb.ListSubscriptionsRequest()
        assert list((await stub.ListSubscriptions(request)).subscriptions) == [
            Subscription(consumer=NAME, head_position=5, lag_count=5, feed="shop")
        ]
        one.start()
        await one.wait_for_position(5)
        epoch = (await source.feed.extent()).epoch
        (newest,) = await source.database.read(source.log.read_from, 4, 1)
        listed = (await stub.ListSubscriptions(request)).subscriptions
        assert listed[0].owner
        assert list(listed) == [
            Subscription(
                owner=listed[0].owner,
                consumer=NAME,
                epoch=epoch,
                position=5,
                event_id=newest.event_id,
                head_position=5,
                lag_count=0,
                feed="shop",
            )
        ]


async def test_consumers_are_listed_while_their_feed_is_unreachable(
    source: Source, databases: Databases
) -> None:
    """Without an answer of the feed, head and lag are unset, and the position is still listed."""
    async with consumer(databases, source.channel) as one:
        await one.wait_for_position(5)
    async with (
        grpc.aio.insecure_channel("unix:/nobody/listens/here") as nobody,
        consumer(databases, nobody, started=False) as one,
        served(one) as stub,
        asyncio.timeout(WAIT_S),
    ):
        (listed,) = (await stub.ListSubscriptions(pb.ListSubscriptionsRequest())).subscriptions

    assert listed.position == 5
    assert not listed.HasField("head_position")
    assert not listed.HasField("lag_count")


async def test_a_lag_is_not_computed_across_epochs(source: Source, databases: Databases) -> None:
    """A position of another epoch has no lag, because it can't be compared with the head."""
    async with consumer(databases, source.channel) as one:
        await one.wait_for_position(5)
    await source.execute("UPDATE event_counter SET epoch = 'restored'")
    async with (
        consumer(databases, source.channel, started=False) as one,
        served(one) as stub,
        asyncio.timeout(WAIT_S),
    ):
        (listed,) = (await stub.ListSubscriptions(pb.ListSubscriptionsRequest())).subscriptions

    assert (listed.position, listed.head_position) == (5, 5)
    assert not listed.HasField("lag_count")


async def test_a_repeated_request_has_no_second_effect(
    source: Source, databases: Databases
) -> None:
    """A repeated rewind returns the first response, and does not move the consumer again."""
    request = pb.RewindSubscriptionRequest(request_id=REQUEST_ID, consumer=NAME, after_position=1)
    async with (
        consumer(databases, source.channel) as one,
        served(one) as stub,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(5)
        first = await stub.RewindSubscription(request)
        await source.append("ord_1", "Fulfilled")
        await one.wait_for_position(6)
        repeated = stub.RewindSubscription(request)
        assert await repeated == first
        assert ("tradepost-replayed", "true") in list(await repeated.trailing_metadata())
        reached = await one.position()
        assert reached is not None
        assert (reached.position, first.rewound_from.position) == (6, 5)
        request.after_position = 2
        reused = await refusal(stub.RewindSubscription(request))
    assert (reused.code, reused.reason) == (Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_a_reason_is_short_and_visible(source: Source, databases: Databases) -> None:
    """A rewind whose reason says nothing is refused, and moves nothing."""
    async with (
        consumer(databases, source.channel) as one,
        served(one) as stub,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(5)
        for bad in REASON:
            request = pb.RewindSubscriptionRequest(
                request_id=REQUEST_ID, consumer=NAME, reason=bad.value
            )
            answer = await refusal(stub.RewindSubscription(request))
            assert (answer.code, set(answer.bad_fields)) == (Code.INVALID_ARGUMENT, {"reason"})
        reached = await one.position()
    assert reached is not None
    assert reached.position == 5


async def test_a_rewind_while_the_feed_is_unreachable(source: Source, databases: Databases) -> None:
    """Without an answer of the feed, only 0 is known not to be above its head."""
    async with consumer(databases, source.channel) as one:
        await one.wait_for_position(5)
    async with (
        grpc.aio.insecure_channel("unix:/nobody/listens/here") as nobody,
        consumer(databases, nobody, started=False) as one,
        served(one) as stub,
        asyncio.timeout(WAIT_S),
    ):
        asked = pb.RewindSubscriptionRequest(request_id=REQUEST_ID, consumer=NAME, after_position=2)
        refused = await refusal(stub.RewindSubscription(asked))
        assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "FEED_UNAVAILABLE")
        assert await one.rewind() == 5


async def test_an_impossible_rewind_is_refused(source: Source, databases: Databases) -> None:
    """A rewind to a position ahead, or of an unknown consumer, is refused."""
    async with consumer(databases, source.channel, started=False) as one, served(one) as stub:

        async def refused(**fields: object) -> tuple[grpc.StatusCode, str, dict[str, str]]:
            answer = await refusal(
                stub.RewindSubscription(
                    pb.RewindSubscriptionRequest(**{"request_id": REQUEST_ID, **fields})
                )
            )
            return answer.code, answer.reason, dict(answer.facts)

        assert await refused(consumer="nobody") == (
            Code.NOT_FOUND,
            "CONSUMER_NOT_FOUND",
            {"consumer": "nobody"},
        )
        assert await refused(consumer=NAME, after_position=1) == (
            Code.OUT_OF_RANGE,
            "POSITION_NOT_REACHED",
            {"consumer": NAME, "after_position": "1", "position": "0"},
        )
        # It has not read its feed, so it has no position.
        assert await one.rewind() == 0
        assert await one.position() is None
        bad = pb.RewindSubscriptionRequest(request_id="7", consumer=" ", after_position=-1)
        named = await refusal(stub.RewindSubscription(bad))
    assert set(named.bad_fields) == {"request_id", "consumer", "after_position"}
