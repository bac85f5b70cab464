"""A consumer of a feed that was restored to an earlier position skips nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator

import grpc
import pytest
from tradepost.event.v1 import event_service_pb2 as pb

from services.chassis.consumer.inbox import ConsumerPosition
from services.chassis.feed.errors import PositionAheadOfHeadError
from tests.support.chassis.event_consumer import Consumer, Notebook, consumer, while_time_passes
from tests.support.chassis.event_source import Source, event_source
from tests.support.chassis.rich_status import refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases
from tests.support.suite.programs import run

BEFORE = ("Placed", "Reserved", "Authorized", "Confirmed")


@pytest.fixture
async def source(databases: Databases) -> AsyncIterator[Source]:
    """The service whose feed is consumed, with four events."""
    async with event_source(databases) as opened:
        await opened.append("ord_1", *BEFORE)
        yield opened


async def know_nothing(source: Source) -> None:
    """Let the feed's service know no event, as after a restart.

    One that knows an event which the database has lost refuses every new connection to it, and
    opens one whenever a read finds the others busy.
    """
    await source.tailer.wait_position((await source.feed.extent()).head)
    source.tailer._history._newest = (0, "")


async def restore(source: Source, position: int) -> None:
    """Restore the database of the feed as it was at a position, and restart its service."""
    await know_nothing(source)
    await source.execute(f"DELETE FROM event WHERE position > {position}")
    await source.execute(f"UPDATE event_counter SET position = {position}")


async def stopped(one: Consumer) -> ConsumerPosition:
    """Wait until the feed has refused the consumer's position; return it."""
    while True:
        one.committed.clear()
        reached = await one.position()
        assert reached is not None
        if reached.refusal == "HISTORY_CHANGED":
            return reached
        await one.committed.wait()


async def refused(one: Consumer) -> None:
    """Wait until the feed has refused the consumer."""
    while (await one.consumer_admin.list()).subscriptions[0].refusal == "":
        one.committed.clear()
        await one.committed.wait()


async def all_positions(one: Consumer, clock: ManualClock, position: int) -> None:
    """Wait until the consumer has reached a position, while time passes."""
    await while_time_passes(clock, one.wait_for_position(position))


async def stop_at_another_history(
    source: Source, one: Consumer, clock: ManualClock
) -> ConsumerPosition:
    """Let a consumer read all, restore its feed to position 2, and append until beyond 4."""
    await all_positions(one, clock, 4)
    await one.drain()
    await restore(source, 2)
    await source.append("ord_2", "Placed")
    await source.append("ord_3", "Placed")
    await source.append("ord_4", "Placed")
    return ConsumerPosition((await source.feed.extent()).epoch, 4)


async def test_another_history_stops_the_consumer_until_it_is_rewound(
    source: Source, databases: Databases
) -> None:
    """A head that went back and grew again stops the consumer; after a rewind it reads all."""
    clock = ManualClock()
    async with (
        consumer(databases, source.channel, clock=clock) as one,
        consumer(databases, source.channel, clock=clock, owner="again", started=False) as again,
        asyncio.timeout(WAIT_S),
    ):
        reached = await stop_at_another_history(source, one, clock)
        again.start()
        await while_time_passes(clock, stopped(again))
        assert await again.position() == reached
        (listed,) = (await again.consumer_admin.list()).subscriptions
        assert (listed.position, listed.refusal) == (4, "HISTORY_CHANGED")
        assert await again.notes() == {"ord_1": list(BEFORE)}

        await again.rewind(2)
        await all_positions(again, clock, 5)
        assert {"ord_2", "ord_3", "ord_4"} < set(await again.notes())
        (listed,) = (await again.consumer_admin.list()).subscriptions
        assert listed.refusal == ""


async def test_a_new_epoch_starts_the_consumer_again(source: Source, databases: Databases) -> None:
    """After the command `new-epoch` of the feed's service the consumer reads all events."""
    clock = ManualClock()
    async with (
        consumer(databases, source.channel, clock=clock) as one,
        consumer(databases, source.channel, clock=clock, owner="again", started=False) as again,
        asyncio.timeout(WAIT_S),
    ):
        await stop_at_another_history(source, one, clock)
        again.start()
        await while_time_passes(clock, stopped(again))
        environment = {"DATABASE_URL": databases.url("source")}
        done = await run(
            sys.executable, "-m", "services.payment", "new-epoch", environment=environment
        )
        assert (done.code, done.err) == (0, "")
        epoch = (await source.feed.extent()).epoch
        assert done.out.startswith(f"epoch {epoch} follows ")

        async def begun() -> None:
            while (reached := await again.position()) != ConsumerPosition(epoch, 5):
                assert reached is not None
                again.committed.clear()
                await again.committed.wait()

        await while_time_passes(clock, begun())
        assert {"ord_2", "ord_3", "ord_4"} < set(await again.notes())


async def test_a_rewind_above_the_restored_head_is_refused(
    source: Source, databases: Databases
) -> None:
    """A position that the restored feed has not reached again would skip events later."""
    clock = ManualClock()
    async with consumer(databases, source.channel, clock=clock) as one, asyncio.timeout(WAIT_S):
        await all_positions(one, clock, 4)
        await one.drain()
        await restore(source, 2)
        with pytest.raises(PositionAheadOfHeadError) as above:
            await one.rewind(3)
        assert above.value.facts == {"after_position": "3", "head_position": "2"}
        assert await one.position() == ConsumerPosition((await source.feed.extent()).epoch, 4)
        assert await one.rewind(2) == 4


async def test_a_rewind_above_a_head_that_has_grown_since_is_refused(
    source: Source, databases: Databases
) -> None:
    """A consumer that saw the restored head goes back to it, however far the feed is by now."""
    clock = ManualClock()
    async with (
        consumer(databases, source.channel, clock=clock) as one,
        consumer(databases, source.channel, clock=clock, owner="again", started=False) as again,
        asyncio.timeout(WAIT_S),
    ):
        await all_positions(one, clock, 4)
        await one.drain()
        await restore(source, 2)
        again.start()
        await while_time_passes(clock, refused(again))
        for number in range(2, 5):
            await source.append(f"ord_{number}", "Placed")
        await while_time_passes(clock, stopped(again))

        with pytest.raises(PositionAheadOfHeadError) as above:
            await again.rewind(3)
        assert above.value.facts == {"after_position": "3", "head_position": "2"}
        assert await again.rewind(2) == 4
        await all_positions(again, clock, 5)
        assert {"ord_2", "ord_3", "ord_4"} < set(await again.notes())
        # The history is whole again, so the head of before means nothing any more.
        assert await again.rewind(4) == 5


async def test_a_stream_that_was_open_meanwhile_is_refused(source: Source) -> None:
    """A feed compares the history before each read, so it does not go on after a restore."""
    async with asyncio.timeout(WAIT_S):
        call = source.subscribe(after_position=4)
        assert (await call.read()).heartbeat.position == 4
        await know_nothing(source)
        # One write, as the feed may read in between.
        await source.execute("UPDATE event SET event_id = 'evt_restored' WHERE position = 4")
        await source.append("ord_2", "Placed")
        ended = await refusal(_to_the_end(call))
    assert (ended.code, ended.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_CHANGED")
    assert (ended.facts["after_position"], ended.facts["event_id"]) == ("4", "evt_restored")


async def test_an_unknown_event_above_the_head_is_of_another_history(
    source: Source, databases: Databases
) -> None:
    """Rewound and then above the head, a consumer does not go on when the head has passed it."""
    clock = ManualClock()
    async with (
        consumer(databases, source.channel, clock=clock) as one,
        consumer(databases, source.channel, clock=clock, owner="again", started=False) as again,
        asyncio.timeout(WAIT_S),
    ):
        await all_positions(one, clock, 4)
        await one.drain()
        await one.rewind(3)
        await restore(source, 2)
        again.start()
        await while_time_passes(clock, refused(again))
        await source.append("ord_2", "Placed")
        await source.append("ord_3", "Placed")
        reached = await _while_stopped(again, clock)
    assert reached.position == 3


async def test_a_dead_letter_of_another_history_hides_no_event(
    source: Source, databases: Databases
) -> None:
    """After a rewind, an event is applied although another one was parked at its position."""
    clock, notebook = ManualClock(), Notebook(unwritable={"Authorized"})
    async with (
        consumer(databases, source.channel, clock=clock, notebook=notebook) as one,
        asyncio.timeout(WAIT_S),
    ):
        await all_positions(one, clock, 4)
        assert [letter.event.position for letter in await one.parked()] == [3, 4]
        await restore(source, 2)
        await source.append("ord_1", "Declined", "Rejected")
        await one.rewind(2)
        await source.append("ord_2", "Placed")
        await all_positions(one, clock, 5)
        assert await one.parked() == []
        assert await one.notes() == {
            "ord_1": ["Placed", "Reserved", "Declined", "Rejected"],
            "ord_2": ["Placed"],
        }


async def test_a_consumer_of_an_older_version_is_served(source: Source) -> None:
    """A subscriber that does not say which event it applied is not compared."""
    async with asyncio.timeout(WAIT_S):
        call = source.stub.SubscribeEvents(pb.SubscribeEventsRequest(after_position=4))
        assert (await call.read()).heartbeat.position == 4
        call.cancel()


async def test_a_position_that_an_older_instance_moved_has_no_event(
    source: Source, databases: Databases
) -> None:
    """During a rolling update the event of an earlier position is not taken for the new one's."""
    clock = ManualClock()
    async with (
        consumer(databases, source.channel, clock=clock) as one,
        consumer(databases, source.channel, clock=clock, owner="again", started=False) as again,
        asyncio.timeout(WAIT_S),
    ):
        await all_positions(one, clock, 4)
        await one.drain()
        await one.database.write(
            lambda connection: connection.exec_driver_sql(
                "UPDATE subscription SET position = 2"
            ).close()
        )
        reached = await one.position()
        assert reached is not None
        assert reached.event_id == ""
        again.start()
        await all_positions(again, clock, 4)


async def _while_stopped(one: Consumer, clock: ManualClock) -> ConsumerPosition:
    await while_time_passes(clock, stopped(one))
    return await stopped(one)


async def _to_the_end(call: object) -> None:
    while True:
        await call.read()  # type: ignore[attr-defined]
