"""Reads pages of the event log for a feed; synchronous, each page with one statement.

A page says how far it got: everything up to `next_position` is in the page or was filtered out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    bindparam,
    case,
    select,
    true,
)

from services.chassis.feed.errors import (
    EpochChangedError,
    HistoryChangedError,
    PositionAheadOfHeadError,
    PositionTruncatedError,
)
from services.chassis.log.event_horizon import OLDEST
from services.chassis.log.event_log import EVENT, EVENT_COUNTER, StoredEvent, stored_event
from services.chassis.log.event_table import STREAM_HEADS
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
_COUNTER = EVENT_COUNTER.c
_EXTENT = Prepared(select(_COUNTER.epoch, _COUNTER.position, OLDEST))


def _id_at(position: ColumnElement[int]) -> ScalarSelect[str]:
    at = EVENT.alias()
    return select(at.c.event_id).where(at.c.position == position).scalar_subquery()


# What a page says besides its events: the extent, and the ids at the position that is asked for and
# at the last one that is looked through.
_UP_TO = bindparam("up_to_position", type_=BigInteger)
_LAST = case((_COUNTER.position < _UP_TO, _COUNTER.position), else_=_UP_TO)
_AROUND = (
    _COUNTER.epoch,
    _COUNTER.position,
    OLDEST,
    _id_at(bindparam("after_position", type_=BigInteger)),
    _id_at(_LAST),
)


def _with_extent(events: Select[Any]) -> Select[Any]:
    """Read events and what surrounds them: each row has both, the only one may have no event."""
    found = events.subquery()
    both = EVENT_COUNTER.outerjoin(found, true())
    return select(*_AROUND, found).select_from(both).order_by(found.c.position)


def _reader(events: Select[Any]) -> tuple[Prepared, PreparedIn]:
    """The statement for events of all types, and the one for some types."""
    return Prepared(_with_extent(events)), PreparedIn(events, EVENT.c.type, _with_extent)


_READ_ALL, _READ_ALL_OF_TYPES = _reader(_ALL)
_READ_TOPIC, _READ_TOPIC_OF_TYPES = _reader(_OF_TOPIC)
_READ_ONE, _READ_ONE_OF_TYPES = _reader(_OF_ONE)
# Above every position.
_UNBOUNDED = 2**62


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
    """The range of positions; `oldest` is 0 in an empty feed, head + 1 if all were deleted.

    Below `oldest` some events may be left, those of aggregates that are not archived.
    """

    epoch: str
    oldest: int
    head: int


def extent(connection: Connection) -> FeedExtent:
    """Read the oldest position, the head and the epoch of the feed."""
    return _to_extent(_EXTENT.first(connection))


def _to_extent(values: Sequence[Any]) -> FeedExtent:
    epoch, head, oldest = values
    if oldest is None:
        oldest = head + 1 if head else 0
    return FeedExtent(epoch=epoch, oldest=oldest, head=head)


def read_feed(connection: Connection, query: FeedQuery) -> FeedPage:
    """Read a page.

    Raises EpochChangedError, PositionTruncatedError, PositionAheadOfHeadError and
    HistoryChangedError.
    """
    last = _UNBOUNDED
    if query.is_filtered:
        last = query.after_position + SCAN_MAX
    found = _rows(connection, query, last)
    known = _to_extent(found[0][:3])
    anchor_id, last_id = (str(event_id or "") for event_id in found[0][3 : len(_AROUND)])
    _check(connection, query, known, anchor_id)
    rows = [row[len(_AROUND) :] for row in found if row[len(_AROUND)] is not None]
    events = tuple(stored_event(row) for row in fitting(rows, _size_of))
    has_more = len(events) < len(rows) or len(rows) == query.limit
    if has_more:
        next_position, next_id = events[-1].position, events[-1].event_id
    else:
        next_position, next_id = min(known.head, last), last_id
    return FeedPage(known.epoch, events, next_position, known.head, next_id)


def _check(connection: Connection, query: FeedQuery, known: FeedExtent, anchor_id: str) -> None:
    """Check that the feed has what follows the position, of the history that is asked for."""
    if query.epoch and query.epoch != known.epoch:
        raise EpochChangedError(asked=query.epoch, epoch=known.epoch)
    if query.after_position < known.oldest - 1 and not _is_kept(connection, query.aggregate_id):
        raise PositionTruncatedError(
            after_position=query.after_position, oldest_position=known.oldest
        )
    if query.after_position > known.head:
        raise PositionAheadOfHeadError(
            after_position=query.after_position, head_position=known.head
        )
    # The event itself may have been deleted, although all events after it are kept.
    if query.after_event_id and anchor_id not in ("", query.after_event_id):
        raise HistoryChangedError(
            after_position=query.after_position, asked=query.after_event_id, found=anchor_id
        )


def _is_kept(connection: Connection, stream: str) -> bool:
    """Whether the log has this stream: then it has all of it, also below the oldest position."""
    return bool(stream) and STREAM_HEADS.of(connection, stream) is not None


def _size_of(row: Sequence[Any]) -> int:
    return len(row[_PAYLOAD]) + _ENVELOPE_BYTES


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
