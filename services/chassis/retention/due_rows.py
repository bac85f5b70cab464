"""Pages through the rows of a table in some states, for services that look for what is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, bindparam, func, select, tuple_

from services.chassis.log.event_table import EVENT
from services.chassis.retention.archivable import DueQuery
from services.chassis.store.micros import to_micros

_NEWEST = (
    select(EVENT.c.stream, func.max(EVENT.c.version), func.max(EVENT.c.position))
    .where(EVENT.c.stream.in_(bindparam("streams", expanding=True)))
    .group_by(EVENT.c.stream)
)


class StreamEnd(NamedTuple):
    """The version and the position of a stream's newest event; zeros without events."""

    version: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class DueRows:
    """Reads rows in each of `states`, the oldest first, by an index on state, time and key."""

    state: Column[Any]
    states: tuple[Any, ...]
    create_time: Column[int]
    key: Column[str]
    columns: tuple[Column[Any], ...] = ()

    def read(
        self, connection: Connection, query: DueQuery, *conditions: ColumnElement[bool]
    ) -> Sequence[Any]:
        """The rows of one page: its key, its time of creation, and the `columns`."""
        state, *after = query.after or (self.states[0],)
        order = (self.create_time, self.key)
        rows = (
            select(self.key, self.create_time, *self.columns)
            .where(self.state == state)
            .where(self.create_time < to_micros(query.before))
            .where(*conditions)
            .order_by(*order)
            .limit(query.limit)
        )
        if after:
            rows = rows.where(tuple_(*order) > tuple_(*after))
        return connection.execute(rows).all()

    def next_after(
        self, query: DueQuery, rows: Sequence[Any], *, goes_on: bool
    ) -> tuple[Any, ...] | None:
        """The key after which the next page begins; None at the end.

        Without `goes_on` that is the next state: later rows have later events, so where consumers
        have applied none of a page, they have applied none of the next one.
        """
        state = (query.after or self.states)[0]
        if goes_on and len(rows) == query.limit:
            key, create_time, *_ = rows[-1]
            return (state, create_time, key)
        following = self.states[self.states.index(state) + 1 :]
        return following[:1] or None


def newest_events(connection: Connection, streams: Sequence[str]) -> Mapping[str, StreamEnd]:
    """The newest event of each of the streams."""
    found = {
        stream: StreamEnd(version, position)
        for stream, version, position in connection.execute(_NEWEST, {"streams": list(streams)})
    }
    return {stream: found.get(stream, StreamEnd()) for stream in streams}
