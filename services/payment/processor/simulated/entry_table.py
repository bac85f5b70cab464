"""The entries of the simulated processor: an append-only table in a file of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    select,
    text,
)

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared
from services.chassis.store.unit.needs import Needs
from services.chassis.store.unit.rows import Rows, RowsBy

_METADATA = MetaData()

_ENTRY = Table(
    "processor_entry",
    _METADATA,
    Column("sequence", Integer, primary_key=True),
    Column("method", String, nullable=False),
    Column("key", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("authorization_reference", String, nullable=False),
    Column("order_id", String, nullable=False),
    Column("payment_method", String, nullable=False),
    Column("currency_code", String, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("code", String, nullable=False),
    Column("expire_time", BigInteger, nullable=False),
    Column("occur_time", BigInteger, nullable=False),
    UniqueConstraint("method", "key", name="processor_entry_one_effect"),
    Index("processor_entry_by_reference", "authorization_reference", "sequence"),
)
_CALL = Table(
    "processor_call",
    _METADATA,
    Column("method", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("calls", Integer, nullable=False),
)

_ENTRIES = Rows(_ENTRY, numbered="sequence", unique=("method", "key"))
_BY_REFERENCE = RowsBy(_ENTRIES, "authorization_reference", order="sequence")
_LIST = Prepared(
    select(_ENTRY)
    .where(_ENTRY.c.sequence > bindparam("after_sequence"), _ENTRY.c.kind != "FENCED")
    .order_by(_ENTRY.c.sequence)
    .limit(bindparam("row_limit"))
)
_COUNT = Prepared(
    text(
        "INSERT INTO processor_call (method, key, calls) VALUES (:method, :key, 1)"
        " ON CONFLICT (method, key) DO UPDATE SET calls = calls + 1 RETURNING calls"
    )
)


class EntryKind(StrEnum):
    """The effect of a call. FENCED moved no money, refuses a late authorize, and is not listed."""

    AUTHORIZED = "AUTHORIZED"
    DECLINED = "DECLINED"
    FENCED = "FENCED"
    CAPTURED = "CAPTURED"
    CAPTURE_REFUSED = "CAPTURE_REFUSED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"
    REFUND_REFUSED = "REFUND_REFUSED"


@dataclass(frozen=True, slots=True)
class ProcessorEntry:
    """One entry; `sequence` counts from 1, and is 0 before the entry is read back.

    `code` says why money was not moved; `expire_time` is until when it stays set aside.
    """

    method: str
    key: str
    kind: EntryKind
    authorization_reference: str
    order_id: str
    payment_method: str
    amount: Money
    occur_time: datetime
    expire_time: datetime
    code: str = ""
    sequence: int = field(default=0, compare=False)


def create_tables(connection: Connection) -> None:
    """Create missing tables; in a write, so that instances that start together do not collide."""
    _METADATA.create_all(connection)


def needs_of(method: str, key: str, authorization_reference: str = "") -> Needs:
    """What a call reads, for `Database.write`."""
    yield _ENTRIES.need((method, key))
    if authorization_reference:
        yield _BY_REFERENCE.need(authorization_reference)


def find(connection: Connection, method: str, key: str) -> ProcessorEntry | None:
    """The entry of the first call of `method` with `key`; None if there was none."""
    row = _ENTRIES.one(connection, (method, key))
    return None if row is None else _entry((0, *row))


def history(connection: Connection, authorization_reference: str) -> tuple[ProcessorEntry, ...]:
    """All entries of one authorization, in order."""
    return tuple(
        _entry((0, *row)) for row in _BY_REFERENCE.all(connection, authorization_reference)
    )


def write(connection: Connection, entry: ProcessorEntry) -> ProcessorEntry:
    """Append an entry, and return it."""
    values = {
        "method": entry.method,
        "key": entry.key,
        "kind": entry.kind.value,
        "authorization_reference": entry.authorization_reference,
        "order_id": entry.order_id,
        "payment_method": entry.payment_method,
        "currency_code": entry.amount.currency_code,
        "amount_minor": entry.amount.minor_units,
        "code": entry.code,
        "expire_time": to_micros(entry.expire_time),
        "occur_time": to_micros(entry.occur_time),
    }
    _ENTRIES.add(connection, values)
    return entry


def count_call(connection: Connection, method: str, key: str) -> int:
    """The number of calls of `method` with `key`, including this one."""
    (calls,) = _COUNT.first(connection, method=method, key=key)
    return int(calls)


def list_entries(
    connection: Connection, after_sequence: int, limit: int
) -> tuple[ProcessorEntry, ...]:
    """At most `limit` entries after `after_sequence`, in the order in which they happened."""
    rows = _LIST.all(connection, after_sequence=after_sequence, row_limit=limit)
    return tuple(_entry(row) for row in rows)


def _entry(row: Sequence[Any]) -> ProcessorEntry:
    (
        sequence,
        method,
        key,
        kind,
        authorization_reference,
        order_id,
        payment_method,
        currency_code,
        amount_minor,
        code,
        expire_micros,
        occur_micros,
    ) = row
    return ProcessorEntry(
        method=method,
        key=key,
        kind=EntryKind(kind),
        authorization_reference=authorization_reference,
        order_id=order_id,
        payment_method=payment_method,
        amount=Money(currency_code, amount_minor),
        occur_time=from_micros(occur_micros),
        expire_time=from_micros(expire_micros),
        code=code,
        sequence=sequence,
    )
