"""The tables of the event log: the events, the single row that counts
their positions, and the statements on both.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    select,
    update,
)

from services.chassis.store.prepared import Prepared, PreparedIn
from services.chassis.store.unit.appends import Appends
from services.chassis.store.unit.newest import Newest
from services.chassis.store.unit.rows import Rows

_METADATA = MetaData()
EVENT = Table(
    "event",
    _METADATA,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("occur_time", BigInteger, nullable=False),
    Column("correlation_id", String, nullable=False),
    Column("causation_id", String, nullable=False),
    Column("traceparent", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("instance_id", String, nullable=False),
)
EVENT_COUNTER = Table(
    "event_counter",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("epoch", String, nullable=False),
)

STREAM_HEADS = Newest(EVENT, by="stream", order="version", columns=("version", "occur_time"))
# Whole streams, for writes that read some; `APPENDED` writes them.
STREAMS = Rows(EVENT, by=("stream",))
COUNTER = Rows(EVENT_COUNTER, fixed=("epoch",))
APPENDED = Appends(EVENT)
READ_STREAM = Prepared(
    select(EVENT)
    .where(
        EVENT.c.stream == bindparam("stream"),
        # Callers may pass bounds above the range of the version column.
        EVENT.c.version > bindparam("after_version", type_=BigInteger),
        EVENT.c.version <= bindparam("up_to_version", type_=BigInteger),
    )
    .order_by(EVENT.c.version)
    .limit(bindparam("row_limit", type_=BigInteger))
)
READ_STREAMS = PreparedIn(select(EVENT).order_by(EVENT.c.stream, EVENT.c.version), EVENT.c.stream)
READ_FROM = Prepared(
    select(EVENT)
    .where(EVENT.c.position > bindparam("after_position"))
    .order_by(EVENT.c.position)
    .limit(bindparam("row_limit"))
)
HEAD = Prepared(select(EVENT_COUNTER.c.position))
EPOCH = Prepared(select(EVENT_COUNTER.c.epoch))
SET_EPOCH = Prepared(update(EVENT_COUNTER).values(epoch=bindparam("new_epoch")))
_CHANGE_COLUMNS = (
    EVENT.c.position,
    EVENT.c.stream,
    EVENT.c.version,
    EVENT.c.type,
    EVENT.c.topic,
    EVENT.c.event_id,
)
READ_CHANGES = Prepared(
    select(*_CHANGE_COLUMNS)
    .where(EVENT.c.position > bindparam("after_position"))
    .order_by(EVENT.c.position)
    .limit(bindparam("row_limit"))
)
NEWEST_CHANGE = Prepared(
    select(*_CHANGE_COLUMNS)
    .where(EVENT.c.stream == bindparam("stream"))
    .order_by(EVENT.c.version.desc())
    .limit(1)
)
