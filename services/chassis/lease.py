"""Who drives what: rows of pending work, each leased to one owner at a time.

A lease carries a fencing token that grows with every claim. Each write of a holder checks the
token in its own transaction (`check`), so a holder that slept through its lease can't write
what its successor doesn't know of. Work whose owner died is claimed once the lease expires.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    bindparam,
    delete,
    or_,
    select,
    text,
    update,
)

from discovery.clock import Clock
from services.chassis.micros import from_micros, to_micros
from services.chassis.prepared import Prepared

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

_NOBODY = ""
_ERROR_MAX_CHARS = 500
_JITTER = 0.2

_of_subject = LEASE.c.subject == bindparam("of_subject")
_held = (
    _of_subject
    & (LEASE.c.token == bindparam("held_token"))
    & (LEASE.c.owner == bindparam("held_owner"))
)
_free = or_(LEASE.c.owner == _NOBODY, LEASE.c.lease_expire_time <= bindparam("now"))

_GET = select(LEASE).where(_of_subject)
_CHECK = Prepared(select(LEASE.c.subject).where(_held))
_CLOSE = Prepared(delete(LEASE).where(_held))
_RELEASE = Prepared(
    update(LEASE).where(_held).values(owner=_NOBODY, next_attempt_time=bindparam("now"))
)
_DUE = (
    select(LEASE)
    .where(LEASE.c.kind == bindparam("of_kind"), LEASE.c.next_attempt_time <= bindparam("now"))
    .where(_free)
    .order_by(LEASE.c.next_attempt_time)
    .limit(bindparam("row_limit"))
)
_FREE = select(LEASE).where(_of_subject, _free)
_CLAIM = Prepared(
    update(LEASE)
    .where(_of_subject)
    .values(
        owner=bindparam("new_owner"),
        token=bindparam("new_token"),
        lease_expire_time=bindparam("new_expire_time"),
    )
)
_RENEW = Prepared(update(LEASE).where(_held).values(lease_expire_time=bindparam("new_expire_time")))
_PROGRESS = Prepared(
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
_POSTPONE = Prepared(
    update(LEASE)
    .where(_held)
    .values(
        owner=_NOBODY,
        next_attempt_time=bindparam("new_attempt_time"),
        attempts=LEASE.c.attempts + 1,
        last_error=bindparam("new_error"),
        needs_review=or_(LEASE.c.needs_review, bindparam("new_review", type_=Boolean)),
    )
)
# The upsert is the same on SQLite and PostgreSQL, but SQLAlchemy has a construct for each.
_OPEN = Prepared(
    text(
        "INSERT INTO lease (subject, kind, owner, token, lease_expire_time, next_attempt_time,"
        " attempts, deadline_time, open_time, step, step_since_time, last_error, needs_review)"
        " VALUES (:subject, :kind, :owner, :token, :expire_time, :now,"
        " 0, :deadline, :now, '', :now, '', FALSE)"
        " ON CONFLICT (subject) DO UPDATE SET kind = excluded.kind, owner = excluded.owner,"
        " token = CASE WHEN lease.token < excluded.token THEN excluded.token ELSE lease.token + 1 END,"
        " lease_expire_time = excluded.lease_expire_time,"
        " next_attempt_time = excluded.next_attempt_time, attempts = 0,"
        " deadline_time = excluded.deadline_time, open_time = excluded.open_time, step = '',"
        " step_since_time = excluded.step_since_time, last_error = '', needs_review = FALSE"
        " RETURNING token"
    )
)


class StaleLeaseError(Exception):
    """The lease is no longer held: somebody else drives this now, so stop."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} is driven by somebody else")
        self.facts = {"subject": subject}


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to drive `subject` until the lease expires or is claimed by another."""

    subject: str
    token: int
    deadline: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A row of pending work as an operator sees it."""

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


class Leases:
    """Opens, claims, keeps and closes leases for one owner, inside the caller's transaction.

    `owner` names one run of one process: a restarted process is another owner. Use it from
    write functions; only `get`, `list` and `has_due` are for reads too.
    """

    def __init__(
        self, *, owner: str, clock: Clock, rng: random.Random, lease_s: float = 10.0
    ) -> None:
        if not owner:
            raise ValueError("an owner has a name")
        self._owner = owner
        self._clock = clock
        self._rng = rng
        self._lease = timedelta(seconds=lease_s)
        self._last_token = 0

    @property
    def lease_s(self) -> float:
        """How long a claim holds, in seconds, unless it is renewed."""
        return self._lease.total_seconds()

    def open(
        self,
        connection: Connection,
        subject: str,
        kind: str,
        *,
        deadline: datetime | None = None,
        leased: bool = True,
    ) -> Claim:
        """Insert the row of `subject`, or open it anew, already leased to this owner.

        A row that is open is taken over: its holder finds its lease stale. With `leased` False
        (while draining) nobody holds the row and it is due at once; the claim is then stale.
        """
        now = self._clock.now()
        (token,) = _OPEN.first(
            connection,
            subject=subject,
            kind=kind,
            owner=self._owner if leased else _NOBODY,
            token=self._next_token(),
            expire_time=to_micros(now + self._lease),
            now=to_micros(now),
            deadline=None if deadline is None else to_micros(deadline),
        )
        return Claim(subject=subject, token=token, deadline=deadline, attempts=0)

    def claim_due(self, connection: Connection, kind: str, limit: int) -> tuple[Claim, ...]:
        """Claim at most `limit` rows of `kind` whose next attempt is due and which nobody holds."""
        now = to_micros(self._clock.now())
        due = connection.execute(_DUE, {"of_kind": kind, "now": now, "row_limit": limit}).all()
        return tuple(self._claim(connection, row) for row in due)

    def has_due(self, connection: Connection, kind: str) -> bool:
        """Whether `claim_due` would claim anything; a read, which costs no commit."""
        now = to_micros(self._clock.now())
        due = connection.execute(_DUE, {"of_kind": kind, "now": now, "row_limit": 1})
        return due.first() is not None

    def claim(self, connection: Connection, subject: str) -> Claim | None:
        """Claim one row, due or not; None where it doesn't exist or somebody holds it."""
        now = to_micros(self._clock.now())
        row = connection.execute(_FREE, {"of_subject": subject, "now": now}).one_or_none()
        return None if row is None else self._claim(connection, row)

    def check(self, connection: Connection, claim: Claim) -> None:
        """Make sure that the claim still holds; part of every write of a holder.

        An expired lease that nobody claimed still holds: writers are serial, so no one else
        can write in between. Raises StaleLeaseError.
        """
        if _CHECK.first(connection, **self._held(claim)) is None:
            raise StaleLeaseError(claim.subject)

    def renew(self, connection: Connection, claim: Claim) -> None:
        """Start the lease time anew. Raises StaleLeaseError."""
        expire_time = to_micros(self._clock.now() + self._lease)
        self._change(connection, _RENEW, claim, new_expire_time=expire_time)

    def progress(self, connection: Connection, claim: Claim, *, step: str) -> None:
        """Note that a new step began: renews the lease, clears attempts, error and review.

        Raises StaleLeaseError.
        """
        now = self._clock.now()
        self._change(
            connection,
            _PROGRESS,
            claim,
            new_step=step,
            now=to_micros(now),
            new_expire_time=to_micros(now + self._lease),
        )

    def postpone(
        self,
        connection: Connection,
        claim: Claim,
        *,
        delay_s: float,
        error: str = "",
        needs_review: bool = False,
    ) -> None:
        """Give the lease back and count an attempt; the next is due in `delay_s` +- 20 %.

        `needs_review` sets the mark and never clears it. Raises StaleLeaseError.
        """
        jittered_s = delay_s * self._rng.uniform(1 - _JITTER, 1 + _JITTER)
        self._change(
            connection,
            _POSTPONE,
            claim,
            new_attempt_time=to_micros(self._clock.now() + timedelta(seconds=jittered_s)),
            new_error=error[:_ERROR_MAX_CHARS],
            new_review=needs_review,
        )

    def release(self, connection: Connection, claim: Claim) -> None:
        """Give the lease back, due at once for anybody. A stale claim changes nothing."""
        now = to_micros(self._clock.now())
        _RELEASE.change(connection, **self._held(claim), now=now)

    def close(self, connection: Connection, claim: Claim) -> None:
        """Delete the row: the work is done. Raises StaleLeaseError."""
        self._change(connection, _CLOSE, claim)

    def get(self, connection: Connection, subject: str) -> LeaseRow | None:
        """The row of `subject`; None where nothing is pending."""
        row = connection.execute(_GET, {"of_subject": subject}).one_or_none()
        return None if row is None else _lease_row(row)

    def list(
        self,
        connection: Connection,
        *,
        kind: str,
        limit: int,
        after_subject: str = "",
        opened_before: datetime | None = None,
        needs_review: bool | None = None,
    ) -> tuple[LeaseRow, ...]:
        """At most `limit` rows of `kind` behind `after_subject`, by subject."""
        rows = (
            select(LEASE)
            .where(LEASE.c.kind == kind, LEASE.c.subject > after_subject)
            .order_by(LEASE.c.subject)
            .limit(limit)
        )
        if opened_before is not None:
            rows = rows.where(LEASE.c.open_time < to_micros(opened_before))
        if needs_review is not None:
            rows = rows.where(LEASE.c.needs_review == needs_review)
        return tuple(_lease_row(row) for row in connection.execute(rows))

    def _claim(self, connection: Connection, row: Row[Any]) -> Claim:
        token = max(row.token + 1, self._next_token())
        _CLAIM.change(
            connection,
            of_subject=row.subject,
            new_owner=self._owner,
            new_token=token,
            new_expire_time=to_micros(self._clock.now() + self._lease),
        )
        deadline = None if row.deadline_time is None else from_micros(row.deadline_time)
        return Claim(subject=row.subject, token=token, deadline=deadline, attempts=row.attempts)

    def _change(
        self, connection: Connection, statement: Prepared, claim: Claim, **values: object
    ) -> None:
        if statement.change(connection, **self._held(claim), **values) != 1:
            raise StaleLeaseError(claim.subject)

    def _held(self, claim: Claim) -> dict[str, object]:
        return {
            "of_subject": claim.subject,
            "held_token": claim.token,
            "held_owner": self._owner,
        }

    def _next_token(self) -> int:
        """A token above every earlier one of its subject, even when its row was deleted between.

        The wall clock carries it across rows, the count across claims within a microsecond.
        """
        self._last_token = max(self._last_token + 1, to_micros(self._clock.now()))
        return self._last_token


def _lease_row(row: Row[Any]) -> LeaseRow:
    return LeaseRow(
        subject=row.subject,
        kind=row.kind,
        owner=row.owner,
        token=row.token,
        lease_expire_time=from_micros(row.lease_expire_time),
        next_attempt_time=from_micros(row.next_attempt_time),
        attempts=row.attempts,
        deadline=None if row.deadline_time is None else from_micros(row.deadline_time),
        open_time=from_micros(row.open_time),
        step=row.step,
        step_since_time=from_micros(row.step_since_time),
        last_error=row.last_error,
        needs_review=row.needs_review,
    )
