"""Releases the leases of a process that has ended, without waiting until they expire.

A lease alone cannot tell a dead owner from a slow one, so it must be long. The database can: each
process holds a mark in it that ends with the process, however busy the machine is. An owner without
a mark (of an earlier version, behind a pooler, or cut off from the server) is still replaced when
its leases expire, and tokens fence its writes either way.
"""

import random
from datetime import datetime

import structlog
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.store.micros import to_micros
from services.chassis.work.lease import OWNER_ENDED, Leases
from services.chassis.work.lease_table import LEASES, OWNERS, RELEASE_ALL

POLL_S = 0.5
# The kind of the rows that name the owners of which a mark says whether they live.
OWNER_KIND = "owner"

_LOG = structlog.get_logger(__name__)


class OwnerWatch:
    """Marks the owner of `leases` as alive, and looks whether other owners have ended."""

    def __init__(
        self,
        *,
        database: Database,
        leases: Leases,
        clock: Clock,
        rng: random.Random,
        poll_s: float = POLL_S,
    ) -> None:
        self._database = database
        self._leases = leases
        self._clock = clock
        self._rng = rng
        self._poll_s = poll_s
        self._can_mark = True

    async def run(self) -> None:
        """Look until cancelled by the owner's TaskGroup."""
        while True:
            try:
                await self._look()
            except (StoreUnavailableError, StoreOverloadedError, OSError) as error:
                _LOG.warning("owners_unknown", error=str(error))
            await self._clock.sleep(self._poll_s * self._rng.uniform(0.8, 1.2))

    async def _look(self) -> None:
        registered = await self._database.read(registered_owners, snapshot=False)
        if self._can_mark and self._leases.owner not in registered:
            # The mark comes first: a registered owner without a mark has ended.
            self._can_mark = await self._database.mark_owner(self._leases.owner)
            if self._can_mark:
                await self._database.write(register_owner, self._leases)
        for owner in registered - {self._leases.owner}:
            if await self._database.has_ended(owner):
                now = self._clock.now()
                released = await self._database.write(remove_owner, owner, now)
                self._leases.lost[OWNER_ENDED] += released
                _LOG.info("owner_ended", owner=owner, leases_released=released)


def register_owner(connection: Connection, leases: Leases) -> None:
    """List the owner among those that the database marks as alive (`Database.mark_owner`)."""
    leases.open(connection, _subject(leases.owner), OWNER_KIND)


def registered_owners(connection: Connection) -> frozenset[str]:
    """The owners that were registered and have not been removed."""
    return frozenset(owner for (owner,) in OWNERS.all(connection, of_kind=OWNER_KIND))


def remove_owner(connection: Connection, owner: str, now: datetime) -> int:
    """Release all leases of an owner that has ended; return their number.

    The work is due at once, for any owner. If the owner is alive after all, it finds its leases
    stale before it writes anything.
    """
    LEASES.delete(connection, _subject(owner))
    return RELEASE_ALL.change(connection, ended_owner=owner, now=to_micros(now))


def _subject(owner: str) -> str:
    return f"{OWNER_KIND}/{owner}"
