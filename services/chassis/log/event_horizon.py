"""How far back the log is complete: up to its horizon, events may be gone with their aggregates.

Retention removes all events of an archived aggregate, wherever they are in the log, and no others.
The horizon is the highest position that was removed. It is stored among the positions of consumers,
as that of the retention: so no older version of the service has to know a new table.
"""

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, func, select

from services.chassis.log.event_table import EVENT
from services.chassis.store.unit.rows import Rows

# The retention's name among the consumers, and among the work that is leased.
RETENTION = "retention"

_POSITION = Table(
    "subscription",
    MetaData(),
    Column("consumer", String, primary_key=True),
    Column("epoch", String, nullable=False),
    Column("position", BigInteger, nullable=False),
)
_POSITIONS = Rows(_POSITION)

# The oldest position from which on every event is there; NULL in a log without events.
OLDEST = func.coalesce(
    select(_POSITION.c.position + 1).where(_POSITION.c.consumer == RETENTION).scalar_subquery(),
    select(func.min(EVENT.c.position)).scalar_subquery(),
)


def horizon(connection: Connection) -> int:
    """The highest position that was removed; 0 if none was."""
    row = _POSITIONS.one(connection, RETENTION)
    return 0 if row is None else int(_POSITIONS.named(row)["position"])


def raise_horizon(connection: Connection, position: int, *, epoch: str) -> None:
    """Record, in the write that removes them, that events up to `position` may be gone."""
    if position > horizon(connection):
        values = {"consumer": RETENTION, "epoch": epoch, "position": position}
        _POSITIONS.put(connection, values)
