"""The tables of the event log: the events, and the single row that counts their positions."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

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
)
EVENT_COUNTER = Table(
    "event_counter",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("epoch", String, nullable=False),
)
