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
    Column("aggregate_id", String, primary_key=True),
    Column("number", Integer, CheckConstraint("number >= 0"), nullable=False),
)
COUNTS = Rows(COUNT)


def count(connection: Connection, event: Event) -> None:
    """Put a row that the table refuses if the event's text says so."""
    number = -1 if text_of(event) == "Unwritable" else 1
    COUNTS.put(connection, {"aggregate_id": event.aggregate_id, "number": number})


async def test_only_the_event_to_blame_is_parked(databases: Databases) -> None:
    """Events before and after it in the batch are applied."""
    async with event_source(databases) as source:
        await source.append("ord_1", "Placed")
        await source.append("ord_2", "Unwritable")
        await source.append("ord_3", "Placed")
        async with consumer(databases, source.channel, notebook=count, started=False) as one:
            await one.database.write(COUNT.create)
            one.start()
            async with asyncio.timeout(WAIT_S):
                await one.wait_for_position(3)
            assert [each.event.aggregate_id for each in await one.parked()] == ["ord_2"]
            counted = await one.database.read(COUNTS.each, ["ord_1", "ord_2", "ord_3"])
    assert {key for key, rows in counted.items() if rows} == {"ord_1", "ord_3"}
