"""The lease that all instances of one consumer share: its holder follows the feed."""

from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.database import Database
from services.chassis.work.lease import Claim, Leases

LEASE_KIND = "subscription"
# For subscriptions whose effects callers wait for: a holder that died is replaced after this time.
WAITED_FOR_LEASE_S = 3.0
# Each batch renews the lease; without batches it is renewed after this share of its time.
_RENEW_SHARE = 1 / 3


class ConsumerLease:
    """Claims, releases and withdraws the lease of one consumer."""

    def __init__(self, consumer: str, *, database: Database, leases: Leases, clock: Clock) -> None:
        self._subject = f"{LEASE_KIND}/{consumer}"
        self._database = database
        self._leases = leases
        self._clock = clock

    @property
    def renew_s(self) -> float:
        """The time in seconds after which the holder renews the lease."""
        return self._leases.lease_s * _RENEW_SHARE

    async def claim(self) -> Claim | None:
        """Claim the lease; None while another instance holds it.

        The check is a read: an instance that waits for the lease costs no COMMIT. Raises the
        store's errors.
        """
        if not await self._database.read(self._is_free, snapshot=False):
            return None
        claim = await self._database.write(self._take)
        if claim is not None:
            self._leases.committed(claim)
        return claim

    async def release(self, claim: Claim) -> None:
        """Release the lease to any instance. Raises the store's errors."""
        await self._database.write(self._leases.release, claim)

    def owner(self, connection: Connection) -> str:
        """The holder of the lease; "" while none holds it."""
        row = self._leases.get(connection, self._subject)
        if row is None or row.lease_expire_time <= self._clock.now():
            return ""
        return row.owner

    def withdraw(self, connection: Connection) -> None:
        """Take the lease from its holder, which finds it stale before it writes anything.

        The first instance that checks the lease then claims it.
        """
        self._leases.open(connection, self._subject, LEASE_KIND, leased=False)

    def _is_free(self, connection: Connection) -> bool:
        row = self._leases.get(connection, self._subject)
        return row is None or not row.owner or row.lease_expire_time <= self._clock.now()

    def _take(self, connection: Connection) -> Claim | None:
        if self._leases.get(connection, self._subject) is None:
            return self._leases.open(connection, self._subject, LEASE_KIND)
        return self._leases.claim(connection, self._subject)
