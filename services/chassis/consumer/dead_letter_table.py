"""The table of dead letters: events that a consumer could not apply, and all statements on it.

A dead letter is parked until an operator replays or discards it. A replay deletes the row. A
discard keeps it, so that a rewound consumer skips the event when it is delivered again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from tradepost.event.v1.event_pb2 import Event

from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared, PreparedIn

DEAD_LETTER = Table(
    "dead_letter",
    MetaData(),
    Column("sequence", BigInteger, primary_key=True),
    Column("dead_letter_id", String, nullable=False),
    Column("consumer", String, nullable=False),
    Column("epoch", String, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("aggregate_id", String, nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("error", String, nullable=False),
    Column("attempt_count", Integer, nullable=False),
    Column("park_time", BigInteger, nullable=False),
    Column("discard_time", BigInteger),
    Column("discard_reason", String, nullable=False),
    Column("discard_actor", String, nullable=False),
)
_C = DEAD_LETTER.c
_IS_PARKED = _C.discard_time.is_(None)

# These two run for every batch.
_PARKED = PreparedIn(
    select(_C.aggregate_id, func.min(_C.position))
    .where(_C.consumer == bindparam("of_consumer"), _IS_PARKED)
    .group_by(_C.aggregate_id),
    _C.aggregate_id,
)
_KNOWN = Prepared(
    select(_C.position, _C.event).where(
        _C.consumer == bindparam("of_consumer"),
        _C.epoch == bindparam("of_epoch"),
        _C.position >= bindparam("first"),
        _C.position <= bindparam("last"),
    )
)


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A parked or discarded event; `sequence` numbers those of the service as they are parked."""

    sequence: int
    dead_letter_id: str
    consumer: str
    event: Event
    error: str
    attempt_count: int
    park_time: datetime
    discard_time: datetime | None = None
    discard_reason: str = ""
    discard_actor: str = ""


def first_parked(
    connection: Connection, consumer: str, aggregate_ids: Sequence[str]
) -> dict[str, int]:
    """The position of the first parked event of each aggregate that has parked events."""
    return dict(_PARKED.all(connection, aggregate_ids, of_consumer=consumer))


def known_positions(
    connection: Connection, consumer: str, epoch: str, events: Sequence[Event]
) -> set[int]:
    """The positions of those of `events`, which are in order, that are parked or discarded.

    A dead letter whose position has another event now is deleted: it is from before a restore.
    """
    by_position = {event.position: event.event_id for event in events}
    rows = _KNOWN.all(
        connection,
        of_consumer=consumer,
        of_epoch=epoch,
        first=events[0].position,
        last=events[-1].position,
    )
    known: set[int] = set()
    for position, stored in rows:
        if by_position.get(position) in (None, Event.FromString(stored).event_id):
            known.add(position)
        else:
            connection.execute(
                delete(DEAD_LETTER).where(
                    _C.consumer == consumer, _C.epoch == epoch, _C.position == position
                )
            )
    return known


def park(
    connection: Connection,
    *,
    dead_letter_id: str,
    consumer: str,
    event: Event,
    error: str,
    attempt_count: int,
    now: datetime,
) -> None:
    """Park an event."""
    connection.execute(
        insert(DEAD_LETTER).values(
            dead_letter_id=dead_letter_id,
            consumer=consumer,
            epoch=event.epoch,
            position=event.position,
            aggregate_id=event.aggregate_id,
            event=event.SerializeToString(),
            error=error,
            attempt_count=attempt_count,
            park_time=to_micros(now),
            discard_time=None,
            discard_reason="",
            discard_actor="",
        )
    )


def of_aggregate(
    connection: Connection, consumer: str, aggregate_id: str, limit: int
) -> tuple[DeadLetterRow, ...]:
    """The first `limit` parked events of an aggregate, in the order of its events."""
    rows = (
        select(DEAD_LETTER)
        .where(_C.consumer == consumer, _C.aggregate_id == aggregate_id, _IS_PARKED)
        .order_by(_C.position)
        .limit(limit)
    )
    return tuple(_dead_letter_row(row) for row in connection.execute(rows))


def page(
    connection: Connection,
    *,
    consumer: str,
    after_sequence: int,
    limit: int,
    show_discarded: bool = False,
) -> tuple[DeadLetterRow, ...]:
    """Parked events in the order of parking; those of all consumers if `consumer` is empty.

    With `show_discarded`, discarded events too.
    """
    rows = (
        select(DEAD_LETTER).where(_C.sequence > after_sequence).order_by(_C.sequence).limit(limit)
    )
    if not show_discarded:
        rows = rows.where(_IS_PARKED)
    if consumer:
        rows = rows.where(_C.consumer == consumer)
    return tuple(_dead_letter_row(row) for row in connection.execute(rows))


def find(connection: Connection, dead_letter_id: str) -> DeadLetterRow | None:
    """A parked event by its id; None if it does not exist, or is no longer parked."""
    rows = select(DEAD_LETTER).where(_C.dead_letter_id == dead_letter_id, _IS_PARKED)
    row = connection.execute(rows).first()
    return None if row is None else _dead_letter_row(row)


def remove(connection: Connection, dead_letter: DeadLetterRow) -> None:
    """Delete a dead letter whose event was applied."""
    connection.execute(delete(DEAD_LETTER).where(_C.sequence == dead_letter.sequence))


def record_failure(connection: Connection, dead_letter: DeadLetterRow, error: str) -> None:
    """Record that another attempt to apply the event failed."""
    connection.execute(
        update(DEAD_LETTER)
        .where(_C.sequence == dead_letter.sequence)
        .values(error=error, attempt_count=_C.attempt_count + 1)
    )


def discard(
    connection: Connection, dead_letter: DeadLetterRow, *, reason: str, actor: str, now: datetime
) -> None:
    """Mark a dead letter as discarded by `actor`."""
    connection.execute(
        update(DEAD_LETTER)
        .where(_C.sequence == dead_letter.sequence)
        .values(discard_time=to_micros(now), discard_reason=reason, discard_actor=actor)
    )


def forget(connection: Connection, consumer: str) -> int:
    """Delete a consumer's parked events, whose epoch is over; return how many there were."""
    dropped = delete(DEAD_LETTER).where(_C.consumer == consumer, _IS_PARKED)
    return connection.execute(dropped).rowcount


def _dead_letter_row(row: Any) -> DeadLetterRow:
    return DeadLetterRow(
        sequence=row.sequence,
        dead_letter_id=row.dead_letter_id,
        consumer=row.consumer,
        event=Event.FromString(row.event),
        error=row.error,
        attempt_count=row.attempt_count,
        park_time=from_micros(row.park_time),
        discard_time=None if row.discard_time is None else from_micros(row.discard_time),
        discard_reason=row.discard_reason,
        discard_actor=row.discard_actor,
    )
