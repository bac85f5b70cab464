"""Notices that the database has lost events which this instance committed or read.

A standby that is promoted may lack the newest events, and an older state may have been restored.
An instance that went on would give their positions to other events.
"""

from sqlalchemy import Connection, bindparam, select

from services.chassis.log.event_table import EVENT, EVENT_COUNTER
from services.chassis.store.database import Database
from services.chassis.store.errors import HistoryLostError
from services.chassis.store.prepared import Prepared

_AT = Prepared(
    select(
        EVENT_COUNTER.c.position,
        select(EVENT.c.event_id)
        .where(EVENT.c.position == bindparam("at_position"))
        .scalar_subquery(),
    )
)


class KnownHistory:
    """The newest event that this instance knows; each new connection is checked for it.

    The event loop notes events, the database's threads check.
    """

    def __init__(self, database: Database) -> None:
        # The position and the event's id, "" if it is not known.
        self._newest = (0, "")
        self._lost: int | None = None
        database.on_connect(self.check)

    def note(self, position: int, event_id: str = "") -> None:
        """Record that the log has this event."""
        if position > self._newest[0]:
            self._newest = (position, event_id)

    def check(self, connection: Connection) -> None:
        """Raise HistoryLostError if the log lacks the event, and from then on always."""
        position, event_id = self._newest
        if position and self._lost is None:
            head, found = _AT.first(connection, at_position=position)
            # Events below the head may have been deleted.
            if head < position or (event_id and found not in (None, event_id)):
                self._lost = position
        if self._lost is not None:
            raise HistoryLostError(self._lost)
