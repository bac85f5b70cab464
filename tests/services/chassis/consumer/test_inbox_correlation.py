"""Work that an event starts has the correlation of that event, whatever else is in its batch."""

import random
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import SystemClock
from services.chassis.consumer.inbox import Attempt, ConsumerPosition, Inbox
from services.chassis.ids import IdFactory
from services.chassis.store.unit.change import AfterCommit
from services.chassis.telemetry import correlation
from tests.support.store.databases import Databases, opened_database


async def test_a_callback_has_the_correlation_of_its_event(databases: Databases) -> None:
    """After a batch with two orders, each callback runs under its own event's correlation."""
    clock = SystemClock()
    begun: list[tuple[str, correlation.Correlation]] = []

    def handle(_: Connection, event: Event) -> AfterCommit:
        return lambda: begun.append((event.aggregate_id, correlation.current()))

    def call_back(after_commit: tuple[AfterCommit, ...]) -> None:
        for each in after_commit:
            each()

    inbox = Inbox(
        consumer="driver",
        handler=handle,
        clock=clock,
        ids=IdFactory(clock=clock, rng=random.Random(7)),
    )
    events = [
        Event(
            position=number,
            event_id=f"evt_{number}",
            aggregate_id=f"ord_{number}",
            correlation_id=f"cor_{number}",
            traceparent=f"trace {number}",
        )
        for number in (1, 2)
    ]
    reached = ConsumerPosition("epoch", 0)
    async with opened_database(databases) as database:
        await database.write(inbox.move, reached)
        apply = partial(inbox.apply, reached=reached, events=events, failures={}, attempt=Attempt())
        await database.write(apply, then=call_back)
    assert begun == [
        (
            f"ord_{number}",
            correlation.Correlation(f"cor_{number}", f"evt_{number}", f"trace {number}"),
        )
        for number in (1, 2)
    ]
