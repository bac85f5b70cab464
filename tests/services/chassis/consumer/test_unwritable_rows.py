"""An event whose changes violate a constraint is parked, although that shows after its handler."""

import asyncio

from sqlalchemy import CheckConstraint, Column, Connection, Integer, MetaData, String, Table
from tradepost.event.v1.event_pb2 import Event

from services.chassis.store.unit.rows import Rows
from tests.support.chassis.event_consumer import consumer
from tests.support.chassis.event_source import event_source, text_of
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases

COUNT = Table(
    "count",
    MetaData(),
    Column("event", String, primary_key=True),
    Column("number", Integer, CheckConstraint("number >= 0"), nullable=False),
)
COUNTS = Rows(COUNT)


class Counter:
    """Puts a row for each event, which the table refuses if its text is in `refused`."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)

    def __call__(self, connection: Connection, event: Event) -> None:
        number = -1 if text_of(event) in self.refused else 1
        COUNTS.put(
            connection, {"event": f"{event.aggregate_id} {text_of(event)}", "number": number}
        )


async def test_only_the_event_to_blame_is_parked(databases: Databases) -> None:
    """Events before and after it in the batch are applied."""
    async with event_source(databases) as source:
        await source.append("ord_1", "Placed")
        await source.append("ord_2", "Unwritable")
        await source.append("ord_3", "Placed")
        notebook = Counter("Unwritable")
        async with consumer(databases, source.channel, notebook=notebook, started=False) as one:
            await one.database.write(COUNT.create)
            one.start()
            async with asyncio.timeout(WAIT_S):
                await one.wait_for_position(3)
            assert [each.event.aggregate_id for each in await one.parked()] == ["ord_2"]
            tried = ["ord_1 Placed", "ord_2 Unwritable", "ord_3 Placed"]
            counted = await one.database.read(COUNTS.each, tried)
    assert {key for key, rows in counted.items() if rows} == {"ord_1 Placed", "ord_3 Placed"}


async def test_a_replay_applies_the_events_before_the_one_to_blame(databases: Databases) -> None:
    """It counts the attempt and keeps the database's reason, as for an error of the handler."""
    async with event_source(databases) as source:
        await source.append("ord_1", "Placed", "Confirmed", "Fulfilled")
        notebook = Counter("Placed")
        async with consumer(databases, source.channel, notebook=notebook, started=False) as one:
            await one.database.write(COUNT.create)
            one.start()
            async with asyncio.timeout(WAIT_S):
                await one.wait_for_position(3)
            notebook.refused = {"Confirmed"}
            applied = await one.replay("ord_1")
            left = await one.parked()
    assert applied == 1
    assert [text_of(each.event) for each in left] == ["Confirmed", "Fulfilled"]
    assert left[0].attempt_count == 1
    assert "constraint" in left[0].error
