"""The table of events that a consumer set aside, and every statement on it.

A letter is parked until it is replayed, which deletes it, or discarded, which keeps it: what was
given up is skipped when a rewound consumer meets it again.
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

from services.chassis.store.in_lists import PreparedIn
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared

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
)
_C = DEAD_LETTER.c
_IS_PARKED = _C.discard_time.is_(None)

# These two are asked for every batch.
_PARKED = PreparedIn(
    select(_C.aggregate_id, func.min(_C.position))
    .where(_C.consumer == bindparam("of_consumer"), _IS_PARKED)
    .group_by(_C.aggregate_id),
    _C.aggregate_id,
)
_KNOWN = Prepared(
    select(_C.position).where(
        _C.consumer == bindparam("of_consumer"),
        _C.epoch == bindparam("of_epoch"),
        _C.position >= bindparam("first"),
        _C.position <= bindparam("last"),
    )
)


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """An event that was set aside; `sequence` is its place among all letters of the service."""

    sequence: int
    dead_letter_id: str
    consumer: str
    event: Event
    error: str
    attempt_count: int
    park_time: datetime


def first_parked(
    connection: Connection, consumer: str, aggregate_ids: Sequence[str]
) -> dict[str, int]:
    """Those of the aggregates that have parked events, with the position of the first."""
    return dict(_PARKED.all(connection, aggregate_ids, of_consumer=consumer))


def known_positions(
    connection: Connection, consumer: str, epoch: str, first: int, last: int
) -> set[int]:
    """The positions between two, both included, that were set aside or given up before."""
    rows = _KNOWN.all(connection, of_consumer=consumer, of_epoch=epoch, first=first, last=last)
    return {row[0] for row in rows}


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
    """Set an event aside."""
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
        )
    )


def of_aggregate(
    connection: Connection, consumer: str, aggregate_id: str, limit: int
) -> tuple[DeadLetterRow, ...]:
    """The first parked letters of an aggregate, in the order of its events."""
    rows = (
        select(DEAD_LETTER)
        .where(_C.consumer == consumer, _C.aggregate_id == aggregate_id, _IS_PARKED)
        .order_by(_C.position)
        .limit(limit)
    )
    return tuple(_letter(row) for row in connection.execute(rows))


def page(
    connection: Connection, *, consumer: str, after_sequence: int, limit: int
) -> tuple[DeadLetterRow, ...]:
    """Parked letters in the order in which they were parked; of everybody where no consumer is."""
    rows = (
        select(DEAD_LETTER)
        .where(_C.sequence > after_sequence, _IS_PARKED)
        .order_by(_C.sequence)
        .limit(limit)
    )
    if consumer:
        rows = rows.where(_C.consumer == consumer)
    return tuple(_letter(row) for row in connection.execute(rows))


def find(connection: Connection, dead_letter_id: str) -> DeadLetterRow | None:
    """A parked letter; None where there is none, or no more."""
    rows = select(DEAD_LETTER).where(_C.dead_letter_id == dead_letter_id, _IS_PARKED)
    row = connection.execute(rows).first()
    return None if row is None else _letter(row)


def remove(connection: Connection, letter: DeadLetterRow) -> None:
    """Its event was applied."""
    connection.execute(delete(DEAD_LETTER).where(_C.sequence == letter.sequence))


def note_failure(connection: Connection, letter: DeadLetterRow, error: str) -> None:
    """Its event was tried once more, in vain."""
    connection.execute(
        update(DEAD_LETTER)
        .where(_C.sequence == letter.sequence)
        .values(error=error, attempt_count=_C.attempt_count + 1)
    )


def discard(connection: Connection, letter: DeadLetterRow, *, reason: str, now: datetime) -> None:
    """Give its event up, for good."""
    connection.execute(
        update(DEAD_LETTER)
        .where(_C.sequence == letter.sequence)
        .values(discard_time=to_micros(now), discard_reason=reason)
    )


def forget(connection: Connection, consumer: str) -> int:
    """Drop a consumer's parked letters, whose epoch is over; how many it were."""
    dropped = delete(DEAD_LETTER).where(_C.consumer == consumer, _IS_PARKED)
    return connection.execute(dropped).rowcount


def _letter(row: Any) -> DeadLetterRow:
    return DeadLetterRow(
        sequence=row.sequence,
        dead_letter_id=row.dead_letter_id,
        consumer=row.consumer,
        event=Event.FromString(row.event),
        error=row.error,
        attempt_count=row.attempt_count,
        park_time=from_micros(row.park_time),
    )
