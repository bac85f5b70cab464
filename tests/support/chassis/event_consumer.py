"""A service that consumes the feed of `event_source`, for tests of subscriptions.

It writes the text of each event into a table, per aggregate and in the order of delivery:

    async with consumer(databases, channel) as one:
        await one.wait_for_position(3)
        assert await one.notes() == {"ord_1": ["Placed", "Confirmed", "Fulfilled"]}
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_pb2 import DeadLetter, Event

from discovery.clock import Clock, SystemClock
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.consumer_admin import ConsumerAdmin
from services.chassis.consumer.dead_letter_admin import DeadLetterAdmin
from services.chassis.consumer.inbox import ConsumerPosition
from services.chassis.consumer.subscription import Subscription
from services.chassis.ids import IdFactory
from services.chassis.store.database import Database
from services.chassis.store.unit.change import AfterCommit
from services.chassis.work.lease import Leases
from tests.support.chassis.event_source import text_of
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, opened_database

NAME = "notebook"
_REAL_STEP_S = 0.01
METADATA = MetaData()
NOTE = Table(
    "note",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("aggregate_id", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("text", String, nullable=False),
)


class UnwritableError(Exception):
    """The handler refuses the event."""


@dataclass
class Notebook:
    """The handler: writes a note for each event once, and refuses texts in `unwritable`.

    `failures` are raised first, one for each attempt. `written` counts committed notes.
    """

    unwritable: set[str] = field(default_factory=set)
    failures: list[Exception] = field(default_factory=list)
    tried: int = 0
    before: Callable[[Connection, Event], None] = lambda _, __: None
    written: int = 0

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        self.before(connection, event)
        known = select(NOTE).where(NOTE.c.event_id == event.event_id)
        if connection.execute(known).first() is not None:
            return None
        values = {"event_id": event.event_id, "aggregate_id": event.aggregate_id}
        connection.execute(insert(NOTE).values(text=text_of(event), **values))
        # Raised after the effect, to test that the effect is undone.
        if text_of(event) in self.unwritable:
            raise UnwritableError(f"{text_of(event)} can't be written\nand here is a secret")
        return self._count

    def _count(self) -> None:
        self.written += 1


@dataclass
class Consumer:
    """One instance of the consuming service."""

    database: Database
    leases: Leases
    notebook: Notebook
    subscription: Subscription
    dead_letter_admin: DeadLetterAdmin
    consumer_admin: ConsumerAdmin
    committed: asyncio.Event
    ids: random.Random
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to follow the feed."""
        self.task = asyncio.create_task(self.subscription.run())

    async def crash(self) -> None:
        """Stop at once, without releasing the lease."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})

    async def drain(self) -> None:
        """Stop and release the lease."""
        await self.subscription.drain()
        if self.task is not None:
            await self.task

    async def position(self) -> ConsumerPosition | None:
        """The position of the consumer."""
        return await self.database.read(self.subscription.inbox.reached)

    async def wait_for_position(self, position: int) -> None:
        """Wait until this instance has committed up to `position`."""
        while True:
            self.committed.clear()
            reached = await self.position()
            if reached is not None and reached.position >= position:
                return
            await self.committed.wait()

    async def notes(self) -> dict[str, list[str]]:
        """The notes of each aggregate, in order."""
        return await self.database.read(_notes)

    async def parked(self, consumer: str = NAME) -> list[DeadLetter]:
        """The dead letters of a consumer."""
        listed = await self.dead_letter_admin.list(pb.ListDeadLettersRequest(consumer=consumer))
        return list(listed.dead_letters)

    async def replay(self, aggregate_id: str, *, request_id: str = "") -> int:
        """Replay the dead letters of an aggregate; return how many were applied."""
        request = pb.ReplayDeadLettersRequest(
            request_id=request_id or self.new_request_id(), consumer=NAME, aggregate_id=aggregate_id
        )
        done = await self.dead_letter_admin.replay(request)
        return pb.ReplayDeadLettersResponse.FromString(done.response).applied_count

    async def discard(self, dead_letter: DeadLetter) -> None:
        """Discard a dead letter."""
        await self.dead_letter_admin.discard(
            pb.DiscardDeadLetterRequest(
                request_id=self.new_request_id(),
                dead_letter_id=dead_letter.dead_letter_id,
                reason="nobody needs it",
            )
        )

    async def rewind(self, after_position: int = 0, *, request_id: str = "") -> int:
        """Rewind the consumer; return its former position."""
        request = pb.RewindSubscriptionRequest(
            request_id=request_id or self.new_request_id(),
            consumer=NAME,
            after_position=after_position,
        )
        done = await self.consumer_admin.rewind(request)
        return pb.RewindSubscriptionResponse.FromString(done.response).rewound_from.position

    def new_request_id(self) -> str:
        """A new UUID."""
        digits = f"{self.ids.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@asynccontextmanager
async def consumer(
    databases: Databases,
    channel: grpc.aio.Channel,
    *,
    owner: str = "first",
    clock: Clock | None = None,
    notebook: Notebook | None = None,
    types: tuple[str, ...] = (),
    max_batch: int = 100,
    started: bool = True,
) -> AsyncIterator[Consumer]:
    """An instance on the database `notebook` that follows the feed at `channel`."""
    clock = clock or SystemClock()
    notebook = notebook or Notebook()
    rng = random.Random(owner)
    async with opened_database(databases, clock=clock, owner=owner, name="notebook") as database:
        await database.write(_create)
        ids = IdFactory(clock=clock, rng=rng)
        leases = Leases(owner=owner, clock=clock, rng=rng)
        subscription = Subscription(
            channel,
            NAME,
            notebook,
            database=database,
            leases=leases,
            clock=clock,
            ids=ids,
            rng=rng,
            types=types,
            max_batch=max_batch,
            poll_s=0.02,
        )
        feeds = ConsumedFeeds.of([subscription], database=database, clock=clock, instance_id=owner)
        committed = asyncio.Event()
        database.on_commit(committed.set)
        ours = (database, leases, notebook, subscription)
        admins = (feeds.dead_letter_admin, feeds.consumer_admin)
        one = Consumer(*ours, *admins, committed, random.Random(owner))
        if started:
            one.start()
        try:
            yield one
        finally:
            await one.crash()


async def while_time_passes(
    clock: ManualClock, awaited: Awaitable[object], *, step_s: float = 0.1
) -> None:
    """Await something while the clock advances step by step, with a real pause after each step.

    Without the pauses, virtual time would pass faster than sockets and threads can work.
    """
    waiting = asyncio.ensure_future(awaited)
    while not waiting.done():
        await clock.advance(step_s)
        await asyncio.wait({waiting}, timeout=_REAL_STEP_S)
    await waiting


def _create(connection: Connection) -> None:
    METADATA.create_all(connection)


def _notes(connection: Connection) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in connection.execute(select(NOTE).order_by(NOTE.c.number)):
        found[row.aggregate_id].append(row.text)
    return dict(found)
