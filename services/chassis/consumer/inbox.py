"""Stores a consumer's position and applies batches of events; synchronous, in the caller's write.

Effects and position are written in one transaction, so an event that is delivered at least once is
applied exactly once. An event that cannot be applied is parked, together with all later events of
the same aggregate. Events of other aggregates go on, and no aggregate's events are reordered.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
)
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import Clock
from services.chassis.consumer import dead_letter_table
from services.chassis.consumer.dead_letter_table import DeadLetterRow
from services.chassis.consumer.errors import PositionMovedError
from services.chassis.ids import IdFactory
from services.chassis.store.unit.change import AfterCommit
from services.chassis.store.unit.needs import Need, Needs
from services.chassis.store.unit.rows import Rows
from services.chassis.store.unit.unit import current_unit, read_ahead
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation

# The error of an event that is parked only because an earlier one of its aggregate is.
BLOCKED = "waits behind an earlier event of its aggregate"

SUBSCRIPTION = Table(
    "subscription",
    MetaData(),
    Column("consumer", String, primary_key=True),
    Column("epoch", String, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("event_id", String, nullable=False),
    Column("event_at", String, nullable=False),
    Column("refusal", String, nullable=False),
    Column("restored_head", BigInteger),
)
_SUBSCRIPTIONS = Rows(SUBSCRIPTION)
# An id that no event has: it stands for an unknown event of a history that is over.
_LOST_EVENT = "evt_lost"

# Applies one event: it only writes to the database, and must be idempotent, because a rewind
# delivers events again. Any exception parks the event, except failures of the store. If it has a
# method `needs(event)`, that names what it will read, and a batch reads it together.
Handler: TypeAlias = Callable[[Connection, Event], AfterCommit | None]


@dataclass(frozen=True, slots=True)
class ConsumerPosition:
    """The position, and its epoch, up to which a consumer has applied all events.

    `event_id` is the id of the event at the position, by which the feed notices another history; ""
    if it is not known. `refusal` is why the feed does not go on from here, until an operator acts.
    `restored_head` is how far a restored feed reached when it first refused the position, if less.
    """

    epoch: str
    position: int
    event_id: str = field(default="", compare=False)
    refusal: str = field(default="", compare=False)
    restored_head: int | None = field(default=None, compare=False)


@dataclass(slots=True)
class Attempt:
    """One attempt to apply a batch; `event` is being applied, and is what a failure is due to.

    What an event changes is sent at the end of the batch, and may only then violate a constraint.
    An attempt that `sends_each` event's changes at once finds out which event it was.
    """

    event: Event | None = None
    sends_each: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay: the number of events applied, and functions to call after COMMIT."""

    applied_count: int
    after_commit: tuple[AfterCommit, ...]


class Inbox:
    """The state of one consumer in the database of its service."""

    def __init__(self, *, consumer: str, handler: Handler, clock: Clock, ids: IdFactory) -> None:
        self.consumer = consumer
        self._handler = handler
        self._needs: Callable[[Event], Needs] = getattr(handler, "needs", _needs_nothing)
        self._clock = clock
        self._new_id = ids.new

    def reached(self, connection: Connection) -> ConsumerPosition | None:
        """Read the consumer's position; None before it first reads its feed."""
        row = _SUBSCRIPTIONS.one(connection, self.consumer)
        if row is None:
            return None
        _, epoch, position, event_id, event_at, refusal, restored_head = row
        # An older version moves the position without the event, and clears the refusal alone.
        event_id = event_id if event_at == _event_at(epoch, position) else ""
        restored_head = restored_head if refusal else None
        return ConsumerPosition(epoch, position, event_id, refusal, restored_head)

    def move(self, connection: Connection, reached: ConsumerPosition) -> None:
        """Set the consumer's position; all events after it are delivered, possibly again."""
        values = {
            "consumer": self.consumer,
            "epoch": reached.epoch,
            "position": reached.position,
            "event_id": reached.event_id,
            "event_at": _event_at(reached.epoch, reached.position),
            "refusal": "",
            "restored_head": None,
        }
        _SUBSCRIPTIONS.put(connection, values)

    def refuse(
        self, connection: Connection, reached: ConsumerPosition, reason: str, head: int | None
    ) -> None:
        """Record why the feed refuses to go on from `reached`. Raises PositionMovedError.

        A position above the head belongs to a history that is over. If its event is not known, an
        id is recorded that no event has, so that the feed refuses it also when it has grown. `head`
        is how far the feed reaches, where it is below the position.
        """
        self._check(connection, reached)
        event_id = reached.event_id
        if not event_id and reason == "POSITION_AHEAD_OF_HEAD":
            event_id = _LOST_EVENT
        values = {
            "consumer": self.consumer,
            "epoch": reached.epoch,
            "position": reached.position,
            "event_id": event_id,
            "event_at": _event_at(reached.epoch, reached.position),
            "refusal": reason,
            "restored_head": head if reached.restored_head is None else reached.restored_head,
        }
        _SUBSCRIPTIONS.put(connection, values)

    def begin_epoch(self, connection: Connection, epoch: str) -> int:
        """Start a new epoch at position 0; return how many parked events were dropped.

        If the new epoch has those events too, they are delivered again with all others.
        """
        self.move(connection, ConsumerPosition(epoch, 0))
        return dead_letter_table.forget(connection, self.consumer)

    def advance(
        self, connection: Connection, reached: ConsumerPosition, moved: ConsumerPosition
    ) -> ConsumerPosition:
        """Move to `moved`; nothing before it was to be applied. Raises PositionMovedError."""
        self._check(connection, reached)
        self.move(connection, moved)
        return moved

    def apply(
        self,
        connection: Connection,
        reached: ConsumerPosition,
        events: Sequence[Event],
        *,
        failures: Mapping[int, str],
        attempt: Attempt,
    ) -> tuple[AfterCommit, ...]:
        """Apply the events that follow `reached`, and move past them.

        `failures` are errors by position: those events are parked. Raises PositionMovedError, and
        any exception of the handler, with its event in `attempt`.
        """
        # The function may run again, and the first run may have ended in an event.
        attempt.event = None
        self._check(connection, reached)
        known = dead_letter_table.known_positions(connection, self.consumer, reached.epoch, events)
        parked = dead_letter_table.first_parked(
            connection, self.consumer, sorted({event.aggregate_id for event in events})
        )
        self._read_ahead(connection, events)
        after_commit: list[AfterCommit] = []
        for event in events:
            if event.position in known:
                continue
            # Park events after the first parked one; earlier ones, after a rewind, are applied.
            first_parked = parked.get(event.aggregate_id, event.position)
            if event.position in failures or event.position > first_parked:
                self._park(connection, event, failures.get(event.position))
                parked[event.aggregate_id] = min(event.position, first_parked)
                continue
            after_commit += self._handle(connection, event, attempt)
        self.move(connection, position_at(events[-1], reached.epoch))
        return tuple(after_commit)

    def replay(
        self,
        connection: Connection,
        found: Sequence[DeadLetterRow],
        *,
        failures: Mapping[int, str],
        attempt: Attempt,
    ) -> Replayed:
        """Apply parked events of one aggregate, up to the first whose position is in `failures`.

        Raises any exception of the handler, with its event in `attempt`.
        """
        after_commit: list[AfterCommit] = []
        for applied_count, row in enumerate(found):
            error = failures.get(row.event.position)
            if error is not None:
                dead_letter_table.record_failure(connection, row, error)
                return Replayed(applied_count, tuple(after_commit))
            after_commit += self._handle(connection, row.event, attempt)
            dead_letter_table.remove(connection, row)
        return Replayed(len(found), tuple(after_commit))

    def _read_ahead(self, connection: Connection, events: Sequence[Event]) -> None:
        needs: list[Need] = []
        for event in events:
            # What is wrong with an event is raised when it is applied.
            with suppress(Exception):
                needs += self._needs(event)
        read_ahead(connection, needs)

    def _check(self, connection: Connection, reached: ConsumerPosition) -> None:
        if self.reached(connection) != reached:
            raise PositionMovedError(f"{self.consumer} is no longer at position {reached.position}")

    def _handle(
        self, connection: Connection, event: Event, attempt: Attempt
    ) -> tuple[AfterCommit, ...]:
        """Apply one event under its correlation, so that new events name it as their cause."""
        attempt.event = event
        cause = Correlation(event.correlation_id, event.event_id, event.traceparent)
        correlation.bind(cause)
        after_commit = self._handler(connection, event)
        if attempt.sends_each:
            current_unit(connection).send()
        attempt.event = None
        return () if after_commit is None else (partial(_call_correlated, cause, after_commit),)

    def _park(self, connection: Connection, event: Event, error: str | None) -> None:
        dead_letter_table.park(
            connection,
            dead_letter_id=self._new_id("dlt"),
            consumer=self.consumer,
            event=event,
            error=BLOCKED if error is None else error,
            attempt_count=0 if error is None else 1,
            now=self._clock.now(),
        )


def _needs_nothing(_: Event) -> Needs:
    return ()


def _event_at(epoch: str, position: int) -> str:
    """The text that says which position an event id belongs to."""
    return f"{epoch}/{position}"


def position_at(event: Event, epoch: str) -> ConsumerPosition:
    """The position of a consumer that has applied everything up to `event`."""
    return ConsumerPosition(epoch, event.position, event.event_id)


def _call_correlated(cause: Correlation, after_commit: AfterCommit) -> None:
    """Call `after_commit` under the correlation of its event, not of the batch's last event."""
    correlation.bind(cause)
    after_commit()
