"""The lease table, and all statements on it.

They are prepared, because most writes of a saga contain several of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    or_,
    select,
    text,
    update,
)

from services.chassis.store.micros import from_micros
from services.chassis.store.prepared import Prepared

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

_NAMES = tuple(LEASE.c.keys())

# The owner of a row that any instance may claim.
NO_OWNER = ""

_of_subject = LEASE.c.subject == bindparam("of_subject")
_held = (
    _of_subject
    & (LEASE.c.token == bindparam("held_token"))
    & (LEASE.c.owner == bindparam("held_owner"))
)
_free = or_(LEASE.c.owner == NO_OWNER, LEASE.c.lease_expire_time <= bindparam("now"))

GET = Prepared(select(LEASE).where(_of_subject))
CHECK = Prepared(select(LEASE.c.subject).where(_held))
CLOSE = Prepared(delete(LEASE).where(_held))
RELEASE = Prepared(
    update(LEASE).where(_held).values(owner=NO_OWNER, next_attempt_time=bindparam("now"))
)
DUE = Prepared(
    select(LEASE)
    .where(LEASE.c.kind == bindparam("of_kind"), LEASE.c.next_attempt_time <= bindparam("now"))
    .where(_free)
    .order_by(LEASE.c.next_attempt_time)
    .limit(bindparam("row_limit"))
)
FREE = Prepared(select(LEASE).where(_of_subject, _free))
CLAIM = Prepared(
    update(LEASE)
    .where(_of_subject)
    .values(
        owner=bindparam("new_owner"),
        token=bindparam("new_token"),
        lease_expire_time=bindparam("new_expire_time"),
        # The work may have been due later. If the new owner dies, it must not wait until then.
        next_attempt_time=bindparam("now"),
    )
)
# All work of one owner, which has ended.
RELEASE_ALL = Prepared(
    update(LEASE)
    .where(LEASE.c.owner == bindparam("ended_owner"))
    .values(owner=NO_OWNER, next_attempt_time=bindparam("now"))
)
REMOVE_OWNER = Prepared(delete(LEASE).where(_of_subject))
OWNERS = Prepared(select(LEASE.c.owner).where(LEASE.c.kind == bindparam("of_kind")))
RENEW = Prepared(update(LEASE).where(_held).values(lease_expire_time=bindparam("new_expire_time")))
PROGRESS = Prepared(
    update(LEASE)
    .where(_held)
    .values(
        lease_expire_time=bindparam("new_expire_time"),
        step=bindparam("new_step"),
        step_since_time=bindparam("now"),
        attempts=0,
        last_error="",
        needs_review=False,
    )
)
POSTPONE = Prepared(
    update(LEASE)
    .where(_held)
    .values(
        owner=NO_OWNER,
        next_attempt_time=bindparam("new_attempt_time"),
        attempts=LEASE.c.attempts + 1,
        last_error=bindparam("new_error"),
        needs_review=or_(LEASE.c.needs_review, bindparam("new_review", type_=Boolean)),
    )
)
# The upsert has the same SQL on SQLite and PostgreSQL, but SQLAlchemy's construct differs.
OPEN = Prepared(
    text(
        "INSERT INTO lease (subject, kind, owner, token, lease_expire_time, next_attempt_time,"
        " attempts, deadline_time, open_time, step, step_since_time, last_error, needs_review)"
        " VALUES (:subject, :kind, :owner, :token, :expire_time, :due,"
        " 0, :deadline, :now, '', :now, '', FALSE)"
        " ON CONFLICT (subject) DO UPDATE SET kind = excluded.kind, owner = excluded.owner,"
        " token = CASE WHEN lease.token < excluded.token"
        " THEN excluded.token ELSE lease.token + 1 END,"
        " lease_expire_time = excluded.lease_expire_time,"
        " next_attempt_time = excluded.next_attempt_time, attempts = 0,"
        " deadline_time = excluded.deadline_time, open_time = excluded.open_time, step = '',"
        " step_since_time = excluded.step_since_time, last_error = '', needs_review = FALSE"
        " RETURNING token"
    )
)


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
    column = dict(zip(_NAMES, row, strict=True))
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
