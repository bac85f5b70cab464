"""Leases on pending work: a row for each unit of work, owned by one instance at a time.

A lease has a fencing token that grows with every claim. Each write of a holder checks the token in
its own transaction (`check`), so a holder whose lease was taken can no longer write. If the owner
of work dies, another instance claims the work once the lease has expired.
"""

import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, select

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.work.lease_table import (
    DUE,
    LEASE,
    LEASES,
    NO_OWNER,
    LeaseRow,
    find,
    lease_row,
)

__all__ = ["LEASE", "Claim", "LeaseRow", "Leases", "StaleLeaseError"]

DEFAULT_LEASE_S = 10.0
_ERROR_MAX_CHARS = 500
# Why a lease was lost.
EXPIRED, OWNER_ENDED = "expired", "owner_ended"
_JITTER = 0.2


class StaleLeaseError(Exception):
    """The lease is no longer held, because another owner has claimed it: stop driving."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} is driven by another owner")
        self.facts = {"subject": subject}


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to drive `subject` until the lease expires or is claimed by another.

    `took_over`: another owner had it, whose lease had expired.
    """

    subject: str
    token: int
    deadline: datetime | None
    attempts: int
    took_over: bool = field(default=False, compare=False)


class Leases:
    """Opens, claims, renews and closes leases for one owner, inside the caller's transaction.

    `owner` names one run of one process: a restarted process is another owner. Use it in write
    functions; only `get`, `list` and `has_due` also work in reads.
    """

    def __init__(
        self, *, owner: str, clock: Clock, rng: random.Random, lease_s: float = DEFAULT_LEASE_S
    ) -> None:
        if not owner:
            raise ValueError("an owner has a name")
        self.owner = owner
        self._clock = clock
        self._rng = rng
        self._lease = timedelta(seconds=lease_s)
        self._last_token = 0
        # How many leases of others this owner has released or taken over, by the cause.
        self.lost = Counter({EXPIRED: 0, OWNER_ENDED: 0})

    @classmethod
    def of_a_run(
        cls,
        instance: str,
        *,
        clock: Clock,
        ids: IdFactory,
        rng: random.Random,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> Self:
        """Make the leases of one run of an instance, with an owner name of its own."""
        return cls(owner=f"{instance}/{ids.new('run')}", clock=clock, rng=rng, lease_s=lease_s)

    def lasting(self, lease_s: float) -> Self:
        """Make leases of the same owner that last for another time."""
        made = type(self)(owner=self.owner, clock=self._clock, rng=self._rng, lease_s=lease_s)
        made.lost = self.lost
        return made

    def committed(self, *claims: Claim) -> None:
        """Count those of the claims that took a lease over; call it after their COMMIT."""
        self.lost[EXPIRED] += sum(claim.took_over for claim in claims)

    @property
    def lease_s(self) -> float:
        """The duration of a claim in seconds, until it is renewed."""
        return self._lease.total_seconds()

    def open(
        self,
        connection: Connection,
        subject: str,
        kind: str,
        *,
        deadline: datetime | None = None,
        leased: bool = True,
        due: datetime | None = None,
    ) -> Claim:
        """Insert the row of `subject`, or reset it, leased to this owner.

        If the row exists it is taken over, and its holder finds its lease stale. With `leased`
        False (while draining, or if others act first) the row has no owner and is due at `due`
        (None: at once); the returned claim is then stale.
        """
        now = self._clock.now()
        token, before = self._next_token(), find(connection, subject)
        if before is not None:
            token = max(token, before["token"] + 1)
        LEASES.put(
            connection,
            {
                "subject": subject,
                "kind": kind,
                "owner": self.owner if leased else NO_OWNER,
                "token": token,
                "lease_expire_time": to_micros(now + self._lease),
                "next_attempt_time": to_micros(now if due is None else due),
                "attempts": 0,
                "deadline_time": None if deadline is None else to_micros(deadline),
                "open_time": to_micros(now),
                "step": "",
                "step_since_time": to_micros(now),
                "last_error": "",
                "needs_review": False,
            },
        )
        return Claim(subject=subject, token=token, deadline=deadline, attempts=0)

    def claim_due(self, connection: Connection, kind: str, limit: int) -> tuple[Claim, ...]:
        """Claim at most `limit` rows of `kind` that are due and not leased."""
        rows = DUE.all(connection, of_kind=kind, now=self._now(), row_limit=limit)
        found = LEASES.each(connection, [row[0] for row in rows])
        return tuple(self._claim(connection, LEASES.named(row)) for (row,) in found.values())

    def has_due(self, connection: Connection, kind: str) -> bool:
        """Whether `claim_due` would claim a row; a read, which needs no COMMIT."""
        return bool(DUE.all(connection, of_kind=kind, now=self._now(), row_limit=1))

    def claim(self, connection: Connection, subject: str) -> Claim | None:
        """Claim one row, due or not; None if it does not exist or is leased."""
        row = find(connection, subject)
        if row is None or (row["owner"] != NO_OWNER and row["lease_expire_time"] > self._now()):
            return None
        return self._claim(connection, row)

    def check(self, connection: Connection, claim: Claim) -> None:
        """Check that the claim is still valid; part of every write of a holder.

        A lease that expired unclaimed is still valid: writers run one after another, so no other
        owner can write in between. Raises StaleLeaseError.
        """
        self._held(connection, claim)

    def renew(self, connection: Connection, claim: Claim) -> None:
        """Restart the lease time. Raises StaleLeaseError."""
        until = to_micros(self._clock.now() + self._lease)
        self._change(connection, claim, lease_expire_time=until)

    def progress(self, connection: Connection, claim: Claim, *, step: str) -> None:
        """Record that a new step began; renew the lease, clear attempts, error and review.

        Raises StaleLeaseError.
        """
        now = self._clock.now()
        self._change(
            connection,
            claim,
            lease_expire_time=to_micros(now + self._lease),
            step=step,
            step_since_time=to_micros(now),
            attempts=0,
            last_error="",
            needs_review=False,
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
        """Release the lease and count an attempt; the next is due in `delay_s` +- 20 %.

        `needs_review` can set the mark for review, but never clears it. Raises StaleLeaseError.
        """
        jittered_s = delay_s * self._rng.uniform(1 - _JITTER, 1 + _JITTER)
        row = self._held(connection, claim)
        self._change(
            connection,
            claim,
            owner=NO_OWNER,
            next_attempt_time=to_micros(self._clock.now() + timedelta(seconds=jittered_s)),
            attempts=row["attempts"] + 1,
            last_error=error[:_ERROR_MAX_CHARS],
            needs_review=row["needs_review"] or needs_review,
        )

    def release(self, connection: Connection, claim: Claim) -> None:
        """Release the lease; the work is due at once, for any owner. Ignores a stale claim."""
        with suppress(StaleLeaseError):
            self._change(connection, claim, owner=NO_OWNER, next_attempt_time=self._now())

    def close(self, connection: Connection, claim: Claim) -> None:
        """Delete the row: the work is done. Raises StaleLeaseError."""
        self._held(connection, claim)
        LEASES.delete(connection, claim.subject)

    def get(self, connection: Connection, subject: str) -> LeaseRow | None:
        """The row of `subject`; None if no work is pending."""
        found = LEASES.all(connection, subject)
        return lease_row(found[0]) if found else None

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
        """At most `limit` rows of `kind` after `after_subject`, ordered by subject."""
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
        return tuple(lease_row(row) for row in connection.execute(rows))

    def _claim(self, connection: Connection, row: Mapping[str, Any]) -> Claim:
        token = max(row["token"] + 1, self._next_token())
        claimed = {
            "owner": self.owner,
            "token": token,
            "lease_expire_time": to_micros(self._clock.now() + self._lease),
            # The work may have been due later. If the new owner dies, it must not wait until then.
            "next_attempt_time": self._now(),
        }
        LEASES.put(connection, {**row, **claimed})
        micros = row["deadline_time"]
        deadline = None if micros is None else from_micros(micros)
        took_over = row["owner"] not in (NO_OWNER, self.owner)
        return Claim(row["subject"], token, deadline, row["attempts"], took_over)

    def _change(self, connection: Connection, claim: Claim, **values: object) -> None:
        LEASES.put(connection, {**self._held(connection, claim), **values})

    def _held(self, connection: Connection, claim: Claim) -> Mapping[str, Any]:
        """The row that the claim holds. Raises StaleLeaseError."""
        row = find(connection, claim.subject)
        if row is not None and (row["token"], row["owner"]) == (claim.token, self.owner):
            return row
        raise StaleLeaseError(claim.subject)

    def _now(self) -> int:
        return to_micros(self._clock.now())

    def _next_token(self) -> int:
        """A token above every earlier one of its subject, even if its row was deleted in between.

        The wall clock makes it grow across rows, the counter across claims in one microsecond.
        """
        self._last_token = max(self._last_token + 1, to_micros(self._clock.now()))
        return self._last_token
