"""The lease table: its rows by subject, and the statements that find work by its owner or time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    or_,
    select,
    update,
)

from services.chassis.store.micros import from_micros
from services.chassis.store.prepared import Prepared
from services.chassis.store.unit.needs import Need
from services.chassis.store.unit.rows import Rows

LEASE = Table(
    "lease",
    MetaData(),
    Column("subject", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("lease_expire_time", BigInteger, nullable=False),
    Column("next_attempt_time", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("deadline_time", BigInteger),
    Column("open_time", BigInteger, nullable=False),
    Column("step", String, nullable=False),
    Column("step_since_time", BigInteger, nullable=False),
    Column("last_error", String, nullable=False),
    Column("needs_review", Boolean, nullable=False),
)

# The owner of a row that any instance may claim.
NO_OWNER = ""

LEASES = Rows(LEASE)

DUE = Prepared(
    select(LEASE)
    .where(LEASE.c.kind == bindparam("of_kind"), LEASE.c.next_attempt_time <= bindparam("now"))
    .where(or_(LEASE.c.owner == NO_OWNER, LEASE.c.lease_expire_time <= bindparam("now")))
    .order_by(LEASE.c.next_attempt_time)
    .limit(bindparam("row_limit"))
)
# All work of one owner, which has ended.
RELEASE_ALL = Prepared(
    update(LEASE)
    .where(LEASE.c.owner == bindparam("ended_owner"))
    .values(owner=NO_OWNER, next_attempt_time=bindparam("now"))
)
OWNERS = Prepared(select(LEASE.c.owner).where(LEASE.c.kind == bindparam("of_kind")))


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A row of the lease table: one unit of pending work and its owner."""

    subject: str
    kind: str
    owner: str
    token: int
    lease_expire_time: datetime
    next_attempt_time: datetime
    attempts: int
    deadline: datetime | None
    open_time: datetime
    step: str
    step_since_time: datetime
    last_error: str
    needs_review: bool


def lease_row(row: Sequence[Any]) -> LeaseRow:
    """Convert a row of `select(LEASE)`, a tuple of the driver or a row of SQLAlchemy."""
    column = LEASES.named(tuple(row))
    deadline_micros = column["deadline_time"]
    return LeaseRow(
        subject=column["subject"],
        kind=column["kind"],
        owner=column["owner"],
        token=column["token"],
        lease_expire_time=from_micros(column["lease_expire_time"]),
        next_attempt_time=from_micros(column["next_attempt_time"]),
        attempts=column["attempts"],
        deadline=None if deadline_micros is None else from_micros(deadline_micros),
        open_time=from_micros(column["open_time"]),
        step=column["step"],
        step_since_time=from_micros(column["step_since_time"]),
        last_error=column["last_error"],
        needs_review=bool(column["needs_review"]),
    )


def need_of(subject: str) -> Need:
    """What any write on the lease of `subject` reads, for `Database.write`."""
    return LEASES.need(subject)


def find(connection: Connection, subject: str) -> Mapping[str, Any] | None:
    """The values of the row of `subject` by column; None if no work is pending."""
    row = LEASES.one(connection, subject)
    return None if row is None else LEASES.named(row)


def of_subjects(connection: Connection, subjects: Iterable[str]) -> dict[str, LeaseRow]:
    """The rows of those of the subjects whose work is pending."""
    found = LEASES.each(connection, subjects)
    return {subject: lease_row(rows[0]) for subject, rows in found.items() if rows}
