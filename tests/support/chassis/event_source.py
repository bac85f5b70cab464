"""A service with only an event log, for tests of its feed.

    async with event_source(databases) as source:
        await source.append("ord_1", "Placed", "Confirmed")
        async for message in source.stub.SubscribeEvents(...): ...

Payloads are google.protobuf.StringValue, so that it needs no contract of its own.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from sqlalchemy import Connection
from tradepost.event.v1 import event_pb2
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import (
    EventFeedServiceAsyncStub,
    EventFeedServiceStub,
)

from discovery.clock import Clock, SystemClock
from discovery.registry.protocols import Registrar
from services.chassis.feed.feed import Feed
from services.chassis.feed.feed_contents import FeedContents
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent, StoredEvent
from services.chassis.log.tailer import Tailer
from services.chassis.server.lifecycle import RunningServer
from services.chassis.store.database import Database
from tests.support.chassis.echo_service import echo_server
from tests.support.store.databases import Databases, opened_database

NAME = "shop"
AGGREGATE_TYPES = {"ord": "order"}


def type_named(name: str) -> str:
    """The type of an event: `tradepost.testing.<name>`."""
    return f"tradepost.testing.{name}"


UNHEARD = type_named("Unheard")
CONTENTS = FeedContents(
    NAME,
    types=(*map(type_named, ("Placed", "Confirmed", "Rejected", "Fulfilled")), UNHEARD),
    topics=("choreography",),
)


def new_event(name: str, *, payload: str = "") -> NewEvent:
    """An event of that type."""
    return NewEvent(type_named(name), StringValue(value=payload or name).SerializeToString())


def text_of(event: event_pb2.Event) -> str:
    """The text in the payload of an event."""
    return StringValue.FromString(event.payload.value).value


@dataclass(frozen=True)
class Source:
    """One instance of the service, with its log and a client on a plain channel."""

    database: Database
    log: EventLog
    tailer: Tailer
    feed: Feed
    server: RunningServer
    channel: grpc.aio.Channel
    stub: EventFeedServiceAsyncStub

    async def append(self, stream: str, *names: str) -> tuple[StoredEvent, ...]:
        """Append events of these types to a stream at any version."""
        return await self.append_all(stream, [new_event(name) for name in names])

    async def append_all(self, stream: str, events: Sequence[NewEvent]) -> tuple[StoredEvent, ...]:
        """Append events to a stream at any version."""
        return await self.database.write(append_to, self.log, stream, events)

    def subscribe(self, **fields: Any) -> Any:
        """Subscribe to the feed; reads return SubscribeEventsResponse messages."""
        return self.stub.SubscribeEvents(pb.SubscribeEventsRequest(**fields))

    async def execute(self, statement: str) -> None:
        """Execute a statement, as an operator would."""
        await self.database.write(lambda connection: connection.exec_driver_sql(statement).close())


def append_to(
    connection: Connection, log: EventLog, stream: str, events: Sequence[NewEvent]
) -> tuple[StoredEvent, ...]:
    """Append to a stream at any version."""
    version = len(log.read_stream(connection, stream))
    return log.append(connection, stream, version, events)


@asynccontextmanager
async def event_source(
    databases: Databases,
    *,
    clock: Clock | None = None,
    registrar: Registrar | None = None,
    owner: str = "first",
    log_kind: Callable[..., EventLog] = EventLog,
    **settings: Any,
) -> AsyncIterator[Source]:
    """Serve the log of the database `source` on a free port; `settings` are for the server."""
    system = SystemClock()
    ids = IdFactory(clock=system, rng=random.Random(owner))
    async with opened_database(databases, owner=owner, name="source") as database:
        log = log_kind(clock=system, ids=ids)
        tailer = Tailer(database=database, log=log, clock=clock or system)
        feed = Feed(
            contents=CONTENTS,
            aggregate_types=AGGREGATE_TYPES,
            database=database,
            tailer=tailer,
            clock=clock or system,
        )
        async with echo_server(
            name=NAME,
            registrar=registrar,
            settings={"instance_id": f"{NAME}-{owner}", **settings},
            feed=feed,
            background=[tailer.run],
            on_drain=[tailer.stop_waiters],
        ) as echo:
            stub = EventFeedServiceStub(echo.channel)
            yield Source(database, log, tailer, feed, echo.server, echo.channel, stub)


async def next_batch(call: Any) -> list[event_pb2.Event]:
    """The events of the next batch, without the heartbeats before it."""
    while True:
        message: pb.SubscribeEventsResponse = await call.read()
        if message.WhichOneof("item") == "batch":
            return list(message.batch.events)


async def read_events(call: Any, number: int) -> list[event_pb2.Event]:
    """Read `number` events, from any number of batches."""
    events: list[event_pb2.Event] = []
    while len(events) < number:
        events += await next_batch(call)
    return events
