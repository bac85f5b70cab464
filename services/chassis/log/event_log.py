"""The event log: one table per service, written in the same transaction as the state.

Positions come from a counter row in that transaction, and writers run one after another, so
positions have no gaps and are in commit order. There is no separate outbox table: the log, read by
position, is the outbox.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.identity import caller
from services.chassis.ids import IdFactory
from services.chassis.log.errors import StreamConflictError
from services.chassis.log.event_table import (
    APPENDED,
    COUNTER,
    EPOCH,
    EVENT,
    EVENT_COUNTER,
    HEAD,
    NEWEST_CHANGE,
    READ_CHANGES,
    READ_FROM,
    READ_STREAM,
    READ_STREAMS,
    SET_EPOCH,
    STREAM_HEADS,
    STREAMS,
)
from services.chassis.log.stored_event import NewEvent, StoredEvent, StreamAppend, stored_event
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.unit.change import Change, announce
from services.chassis.store.unit.needs import Needs
from services.chassis.store.unit.unit import read_ahead
from services.chassis.telemetry import correlation

_UNBOUNDED = 2**62
# The key of the counter's only row.
_ONLY_ROW = 1

__all__ = [
    "EVENT",
    "EVENT_COUNTER",
    "EventLog",
    "NewEvent",
    "StoredEvent",
    "StreamAppend",
    "stored_event",
]


class EventLog:
    """Appends to and reads from the log, inside the caller's transaction.

    A stream holds the events of one aggregate, and is named by its id ("ord_..."). Its versions
    are 1..n. `instance_id` is kept with each event: it tells whose log to read.
    """

    def __init__(self, *, clock: Clock, ids: IdFactory, instance_id: str = "") -> None:
        self._clock = clock
        self._ids = ids
        self._instance_id = instance_id

    def needs(self, *streams: str) -> Needs:
        """What appends to these streams will read, for `Database.write`."""
        return (COUNTER.need(_ONLY_ROW), *map(STREAM_HEADS.need, streams))

    def needs_of_streams(self, *streams: str) -> Needs:
        """What reads of these streams in a write will read."""
        return map(STREAMS.need, streams)

    def version(self, connection: Connection, stream: str) -> int:
        """The version of a stream, as the running write sees it; 0 for one without events."""
        return _head(connection, stream)[0]

    def append(
        self,
        connection: Connection,
        stream: str,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        not_before: datetime | None = None,
    ) -> tuple[StoredEvent, ...]:
        """Append `events` from version `expected_version + 1` on; 0 is for a new stream.

        All get the same occur time, not before `not_before` nor before the stream's previous
        event, and the correlation and the caller of the running context. Raises
        StreamConflictError.
        """
        newest_micros = _newest(connection, stream, expected_version)
        if not events:
            return ()
        occur_micros = max(to_micros(self._clock.now()), newest_micros)
        if not_before is not None:
            occur_micros = max(occur_micros, to_micros(not_before))
        first = _take_positions(connection, len(events))
        stored = self._stored(stream, expected_version, first, events, occur_micros)
        _write(connection, stored, occur_micros)
        return stored

    def append_each(
        self, connection: Connection, appends: Sequence[StreamAppend]
    ) -> tuple[StoredEvent, ...]:
        """Append to many different streams.

        All events get the same occur time, not before the previous event of any of the streams,
        and the correlation and the caller of the running context. Raises StreamConflictError.
        """
        read_ahead(connection, self.needs(*(each.stream for each in appends)))
        newest = [_newest(connection, each.stream, each.expected_version) for each in appends]
        number = sum(len(each.events) for each in appends)
        if not number:
            return ()
        occur_micros = max(to_micros(self._clock.now()), *newest)
        first = _take_positions(connection, number)
        stored: list[StoredEvent] = []
        for each in appends:
            stored += self._stored(
                each.stream,
                each.expected_version,
                first + len(stored),
                each.events,
                occur_micros,
            )
        _write(connection, stored, occur_micros)
        return tuple(stored)

    def _stored(
        self,
        stream: str,
        version: int,
        position: int,
        events: Sequence[NewEvent],
        occur_micros: int,
    ) -> tuple[StoredEvent, ...]:
        origin = correlation.current()
        actor = caller.current().actor
        occur_time = from_micros(occur_micros)
        return tuple(
            StoredEvent(
                position=position + index,
                event_id=self._ids.new("evt"),
                stream=stream,
                version=version + index,
                type=event.type,
                payload=event.payload,
                occur_time=occur_time,
                correlation_id=origin.correlation_id,
                causation_id=origin.causation_id,
                traceparent=origin.traceparent,
                topic=event.topic,
                actor=actor,
                instance_id=self._instance_id,
            )
            for index, event in enumerate(events, start=1)
        )

    def read_stream(
        self,
        connection: Connection,
        stream: str,
        *,
        after_version: int = 0,
        up_to_version: int | None = None,
        limit: int | None = None,
    ) -> tuple[StoredEvent, ...]:
        """The events of one stream in order; none if the stream does not exist."""
        known = STREAMS.known(connection, stream)
        if known is not None:
            events = (stored_event(row) for row in known)
            wanted = (
                event
                for event in events
                if event.version > after_version
                and (up_to_version is None or event.version <= up_to_version)
            )
            return tuple(islice(wanted, limit))
        rows = READ_STREAM.all(
            connection,
            stream=stream,
            after_version=after_version,
            up_to_version=_UNBOUNDED if up_to_version is None else up_to_version,
            row_limit=_UNBOUNDED if limit is None else limit,
        )
        return tuple(stored_event(row) for row in rows)

    def read_streams(
        self, connection: Connection, streams: Sequence[str]
    ) -> Mapping[str, Sequence[StoredEvent]]:
        """The events of each of the streams that exist, in order, read by one statement."""
        found = map(stored_event, READ_STREAMS.all(connection, streams))
        return {stream: tuple(events) for stream, events in groupby(found, attrgetter("stream"))}

    def read_from(
        self, connection: Connection, after_position: int, limit: int
    ) -> tuple[StoredEvent, ...]:
        """At most `limit` events of all streams, in commit order, from `after_position` + 1 on."""
        rows = READ_FROM.all(connection, after_position=after_position, row_limit=limit)
        return tuple(stored_event(row) for row in rows)

    def changes(
        self, connection: Connection, after_position: int, limit: int
    ) -> tuple[Change, ...]:
        """The first `limit` changes after a position, in commit order."""
        rows = READ_CHANGES.all(connection, after_position=after_position, row_limit=limit)
        return tuple(Change(*row) for row in rows)

    def newest_change(self, connection: Connection, stream: str) -> Change | None:
        """The newest change of a stream; None if it has none."""
        row = NEWEST_CHANGE.first(connection, stream=stream)
        return None if row is None else Change(*row)

    def head(self, connection: Connection) -> int:
        """The position of the newest event; 0 for an empty log."""
        return int(HEAD.first(connection)[0])

    def epoch(self, connection: Connection) -> str:
        """The id of the history that positions count; an operator changes it after a restore."""
        return str(EPOCH.first(connection)[0])

    def begin_epoch(self, connection: Connection) -> str:
        """Give the log a new epoch, so that consumers start again at position 0; return it."""
        epoch = self._ids.new("epo")
        SET_EPOCH.change(connection, new_epoch=epoch)
        return epoch


def _head(connection: Connection, stream: str) -> tuple[int, int]:
    """The version and the time of a stream's newest event."""
    version, occur_micros = STREAM_HEADS.of(connection, stream) or (0, 0)
    return version, occur_micros


def _newest(connection: Connection, stream: str, expected_version: int) -> int:
    """The time of a stream's newest event, in microseconds; 0 for a new stream.

    Raises StreamConflictError if its version is another one.
    """
    version, occur_micros = _head(connection, stream)
    if version != expected_version:
        raise StreamConflictError(stream, expected_version)
    return occur_micros


def _take_positions(connection: Connection, number: int) -> int:
    """Count so many new events; the position before the first of them."""
    counter = COUNTER.named(COUNTER.all(connection, _ONLY_ROW)[0])
    position: int = counter["position"]
    COUNTER.put(connection, {**counter, "position": position + number})
    return position


def _write(connection: Connection, stored: Sequence[StoredEvent], occur_micros: int) -> None:
    rows = [_row(event, occur_micros) for event in stored]
    APPENDED.add(connection, rows)
    for event, row in zip(stored, rows, strict=True):
        STREAMS.show_added(connection, event.stream, row)
        STREAM_HEADS.change(connection, event.stream, event.version, occur_micros)
    changes = [Change(e.position, e.stream, e.version, e.type, e.topic, e.event_id) for e in stored]
    announce(connection, changes)


def _row(event: StoredEvent, occur_micros: int) -> dict[str, object]:
    return {
        "position": event.position,
        "event_id": event.event_id,
        "stream": event.stream,
        "version": event.version,
        "type": event.type,
        "payload": event.payload,
        "occur_time": occur_micros,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "traceparent": event.traceparent,
        "topic": event.topic,
        "actor": event.actor,
        "instance_id": event.instance_id,
    }
