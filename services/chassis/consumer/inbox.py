"""How far a consumer got, and what one batch does to it; synchronous, in the caller's write.

Effects and position are one transaction, so an event that is delivered at least once is applied
exactly once. An event that can't be applied is parked, and with it everything that comes later of
the same aggregate: the others pass, and nobody sees an aggregate's events out of order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import Clock
from services.chassis.consumer import dead_letter_table as letters
from services.chassis.consumer.dead_letter_table import DeadLetterRow
from services.chassis.consumer.errors import PositionMovedError
from services.chassis.ids import IdFactory
from services.chassis.store.change import AfterCommit
from services.chassis.store.prepared import Prepared
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation

_ERROR_MAX_CHARS = 200
# What a letter says that is parked only because an earlier one of its aggregate is.
BEHIND = "waits behind an earlier event of its aggregate"

SUBSCRIPTION = Table(
    "subscription",
    MetaData(),
    Column("consumer", String, primary_key=True),
    Column("epoch", String, nullable=False),
    Column("position", BigInteger, nullable=False),
)
_of_consumer = SUBSCRIPTION.c.consumer == bindparam("of_consumer")
_GET = Prepared(select(SUBSCRIPTION.c.epoch, SUBSCRIPTION.c.position).where(_of_consumer))
_ADD = Prepared(insert(SUBSCRIPTION).inline())
_MOVE = Prepared(
    update(SUBSCRIPTION)
    .where(_of_consumer)
    .values(epoch=bindparam("new_epoch"), position=bindparam("new_position"))
)

# Applies one event; it only writes, and it must be a repeatable: what was applied before a rewind
# comes again. What it raises, other than failures of the store, parks the event.
Handler: TypeAlias = Callable[[Connection, Event], AfterCommit | None]


@dataclass(frozen=True, slots=True)
class ConsumerPosition:
    """Up to which position of which epoch a consumer has applied everything."""

    epoch: str
    position: int


@dataclass(slots=True)
class Attempt:
    """One try of a batch; `event` is the one being applied, whose fault a failure is."""

    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: how many events it applied, and what is to be done after the COMMIT."""

    applied_count: int
    after_commit: tuple[AfterCommit, ...]


class Inbox:
    """The state of one consumer in the database of its service."""

    def __init__(self, *, consumer: str, handler: Handler, clock: Clock, ids: IdFactory) -> None:
        self.consumer = consumer
        self._handler = handler
        self._clock = clock
        self._new_id = ids.new

    def reached(self, connection: Connection) -> ConsumerPosition | None:
        """Where the consumer stands; None before it first read its feed."""
        row = _GET.first(connection, of_consumer=self.consumer)
        return None if row is None else ConsumerPosition(*row)

    def move(self, connection: Connection, reached: ConsumerPosition) -> None:
        """Put the consumer somewhere else; a rewind has everything behind it delivered again."""
        values = {"new_epoch": reached.epoch, "new_position": reached.position}
        if _MOVE.change(connection, of_consumer=self.consumer, **values) == 0:
            _ADD.change(
                connection, consumer=self.consumer, epoch=reached.epoch, position=reached.position
            )

    def begin_epoch(self, connection: Connection, epoch: str) -> int:
        """Stand at the beginning of a new history; how many letters of the old one were dropped.

        Their events, where the new history has them, are delivered again with all others.
        """
        self.move(connection, ConsumerPosition(epoch, 0))
        return letters.forget(connection, self.consumer)

    def advance(
        self, connection: Connection, reached: ConsumerPosition, position: int
    ) -> ConsumerPosition:
        """Note that there was nothing to apply up to a position. Raises PositionMovedError."""
        self._check(connection, reached)
        moved = ConsumerPosition(reached.epoch, position)
        self.move(connection, moved)
        return moved

    def apply(
        self,
        connection: Connection,
        reached: ConsumerPosition,
        events: Sequence[Event],
        *,
        poisoned: Mapping[int, str],
        attempt: Attempt,
    ) -> tuple[AfterCommit, ...]:
        """Apply the events that follow on `reached`, and stand behind them.

        Positions in `poisoned` are parked with the error given there. Raises PositionMovedError,
        and what the handler raises, with `attempt` saying for which event.
        """
        self._check(connection, reached)
        parked = letters.first_parked(
            connection, self.consumer, sorted({event.aggregate_id for event in events})
        )
        known = letters.known_positions(
            connection, self.consumer, reached.epoch, events[0].position, events[-1].position
        )
        after_commit: list[AfterCommit] = []
        for event in events:
            if event.position in known:
                continue
            # Behind the first that is parked; what a rewind brings of before it, passes.
            first_parked = parked.get(event.aggregate_id, event.position)
            if event.position in poisoned or event.position > first_parked:
                self._park(connection, event, poisoned.get(event.position))
                parked[event.aggregate_id] = min(event.position, first_parked)
                continue
            after_commit += self._handle(connection, event, attempt)
        self.move(connection, ConsumerPosition(reached.epoch, events[-1].position))
        return tuple(after_commit)

    def replay(
        self,
        connection: Connection,
        found: Sequence[DeadLetterRow],
        *,
        poisoned: Mapping[int, str],
        attempt: Attempt,
    ) -> Replayed:
        """Apply parked letters of one aggregate up to the first that is in `poisoned`.

        Raises what the handler raises, with `attempt` saying for which event.
        """
        after_commit: list[AfterCommit] = []
        for applied_count, letter in enumerate(found):
            error = poisoned.get(letter.event.position)
            if error is not None:
                letters.note_failure(connection, letter, error)
                return Replayed(applied_count, tuple(after_commit))
            after_commit += self._handle(connection, letter.event, attempt)
            letters.remove(connection, letter)
        return Replayed(len(found), tuple(after_commit))

    def _check(self, connection: Connection, reached: ConsumerPosition) -> None:
        if self.reached(connection) != reached:
            raise PositionMovedError(f"{self.consumer} is no longer at position {reached.position}")

    def _handle(
        self, connection: Connection, event: Event, attempt: Attempt
    ) -> tuple[AfterCommit, ...]:
        """Apply one event, as part of its story: what it brings about names it as the cause."""
        attempt.event = event
        story = Correlation(event.correlation_id, event.event_id, event.traceparent)
        correlation.bind(story)
        after_commit = self._handler(connection, event)
        attempt.event = None
        return () if after_commit is None else (partial(_go_on, story, after_commit),)

    def _park(self, connection: Connection, event: Event, error: str | None) -> None:
        letters.park(
            connection,
            dead_letter_id=self._new_id("dlt"),
            consumer=self.consumer,
            event=event,
            error=BEHIND if error is None else error,
            attempt_count=0 if error is None else 1,
            now=self._clock.now(),
        )


def _go_on(story: Correlation, after_commit: AfterCommit) -> None:
    """What an event has begun belongs to its story, not to that of the batch's last event."""
    correlation.bind(story)
    after_commit()


def describe(error: Exception) -> str:
    """What a letter says of an error: its kind and its first line.

    Databases put values into the lines after that; NUL is what PostgreSQL can't store.
    """
    first_line = str(error).partition("\n")[0].replace("\0", "")
    return f"{type(error).__name__}: {first_line}"[:_ERROR_MAX_CHARS]
