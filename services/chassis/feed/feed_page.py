"""Reads pages of the event log for a feed; synchronous, each page from one snapshot.

A page says how far it got: everything up to `next_position` is in the page or was filtered out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from services.chassis.feed.errors import (
    EpochChangedError,
    HistoryChangedError,
    PositionAheadOfHeadError,
    PositionTruncatedError,
)
from services.chassis.log.event_log import EVENT, EventLog, StoredEvent, stored_event
from services.chassis.request.answer_size import fitting
from services.chassis.store.prepared import Prepared, PreparedIn

# A filter may match few events; one page looks through at most so many positions.
SCAN_MAX = 10_000
# What surrounds the payload of an event at most, each text by its limit; all are ASCII.
_ID_BYTES = 36  # A UUID; or a prefix of three letters, "_" and 32 hex digits.
_STREAM_BYTES = 5 + 64  # A prefix of four letters, "_" and a SKU.
_ACTOR_BYTES = len("person:") + 64
_NAME_BYTES = 64  # Feed, aggregate type, topic.
_TYPE_BYTES = 100  # It is written twice: once by itself, once in the payload's type URL.
_ENVELOPE_BYTES = (
    3 * _ID_BYTES  # event_id, epoch, causation_id
    + _STREAM_BYTES
    + _ACTOR_BYTES
    + 3 * _NAME_BYTES
    + 2 * _TYPE_BYTES
    + len("type.googleapis.com/")
    + 128  # correlation_id, by the server's layer that binds it
    + 55  # traceparent, version 00
    + 4 * 10  # position, version, and the two numbers of the time, as varints
    + 19 * 5  # a tag and a length for each field, of the payload and of the time too
)
_PAYLOAD = EVENT.c.keys().index("payload")

_BETWEEN = (
    EVENT.c.position > bindparam("after_position"),
    EVENT.c.position <= bindparam("up_to_position"),
)
_ALL = select(EVENT).where(*_BETWEEN).order_by(EVENT.c.position).limit(bindparam("row_limit"))
_OF_ONE = (
    select(EVENT)
    .where(EVENT.c.stream == bindparam("of_stream"), *_BETWEEN)
    # A stream's versions are in the order of its positions, and there is an index for them.
    .order_by(EVENT.c.version)
    .limit(bindparam("row_limit"))
)
_OF_TOPIC = _ALL.where(EVENT.c.topic == bindparam("of_topic"))
_READ_ALL, _READ_ALL_OF_TYPES = Prepared(_ALL), PreparedIn(_ALL, EVENT.c.type)
_READ_TOPIC, _READ_TOPIC_OF_TYPES = Prepared(_OF_TOPIC), PreparedIn(_OF_TOPIC, EVENT.c.type)
_READ_ONE, _READ_ONE_OF_TYPES = Prepared(_OF_ONE), PreparedIn(_OF_ONE, EVENT.c.type)
_ID_AT = Prepared(select(EVENT.c.event_id).where(EVENT.c.position == bindparam("at_position")))
_OLDEST = Prepared(select(func.min(EVENT.c.position)))


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """Selects at most `limit` events after a position; empty filters match all events.

    An empty `epoch` means the current one. `after_event_id` is the id that the event at
    `after_position` must have; "" allows any. A subscriber may ask to have events collected for
    `gather_s` seconds, to get fewer and larger batches.
    """

    after_position: int
    limit: int
    epoch: str = ""
    types: tuple[str, ...] = ()
    aggregate_id: str = ""
    topic: str = ""
    gather_s: float = 0.0
    after_event_id: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether a read may look through many events to find few."""
        return bool(self.types or self.topic) and not self.aggregate_id


@dataclass(frozen=True, slots=True)
class FeedPage:
    """The events that matched, and how far the page got in a feed whose head is `head`.

    `next_event_id` is the id of the event at `next_position`; "" if there is none.
    """

    epoch: str
    events: tuple[StoredEvent, ...]
    next_position: int
    head: int
    next_event_id: str


@dataclass(frozen=True, slots=True)
class FeedExtent:
    """The range of positions; `oldest` is 0 in an empty feed, head + 1 if all were deleted."""

    epoch: str
    oldest: int
    head: int


def extent(connection: Connection, log: EventLog) -> FeedExtent:
    """Read the oldest position, the head and the epoch of the feed."""
    head = log.head(connection)
    (oldest,) = _OLDEST.first(connection)
    if oldest is None:
        oldest = head + 1 if head else 0
    return FeedExtent(epoch=log.epoch(connection), oldest=oldest, head=head)


def read_feed(connection: Connection, log: EventLog, query: FeedQuery) -> FeedPage:
    """Read a page.

    Raises EpochChangedError, PositionTruncatedError, PositionAheadOfHeadError and
    HistoryChangedError.
    """
    known = extent(connection, log)
    if query.epoch and query.epoch != known.epoch:
        raise EpochChangedError(asked=query.epoch, epoch=known.epoch)
    if query.after_position < known.oldest - 1:
        raise PositionTruncatedError(
            after_position=query.after_position, oldest_position=known.oldest
        )
    if query.after_position > known.head:
        raise PositionAheadOfHeadError(
            after_position=query.after_position, head_position=known.head
        )
    anchor_id = _id_at(connection, query.after_position)
    # The event itself may have been deleted, although all events after it are kept.
    if query.after_event_id and anchor_id not in ("", query.after_event_id):
        raise HistoryChangedError(
            after_position=query.after_position, asked=query.after_event_id, found=anchor_id
        )
    up_to = known.head
    if query.is_filtered:
        up_to = min(up_to, query.after_position + SCAN_MAX)
    rows = _rows(connection, query, up_to)
    events = tuple(stored_event(row) for row in fitting(rows, _size_of))
    has_more = len(events) < len(rows) or len(rows) == query.limit
    next_position = events[-1].position if has_more else up_to
    if next_position == query.after_position:
        next_id = anchor_id
    elif events and events[-1].position == next_position:
        next_id = events[-1].event_id
    else:
        next_id = _id_at(connection, next_position)
    return FeedPage(known.epoch, events, next_position, known.head, next_id)


def _size_of(row: Sequence[Any]) -> int:
    return len(row[_PAYLOAD]) + _ENVELOPE_BYTES


def _id_at(connection: Connection, position: int) -> str:
    """The id of the event at a position; "" if there is none."""
    row = _ID_AT.first(connection, at_position=position) if position else None
    return "" if row is None else str(row[0])


def _rows(connection: Connection, query: FeedQuery, up_to: int) -> Sequence[Any]:
    window: dict[str, object] = {
        "after_position": query.after_position,
        "up_to_position": up_to,
        "row_limit": query.limit,
    }
    if query.aggregate_id:
        window["of_stream"] = query.aggregate_id
        if query.types:
            return _READ_ONE_OF_TYPES.all(connection, query.types, **window)
        return _READ_ONE.all(connection, **window)
    if query.topic:
        window["of_topic"] = query.topic
        if query.types:
            return _READ_TOPIC_OF_TYPES.all(connection, query.types, **window)
        return _READ_TOPIC.all(connection, **window)
    if query.types:
        return _READ_ALL_OF_TYPES.all(connection, query.types, **window)
    return _READ_ALL.all(connection, **window)
