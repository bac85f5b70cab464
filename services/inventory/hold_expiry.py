"""Expires overdue holds, whether or not anybody needs their units.

It runs on every instance without an election. Writers are serial and each write reads the holds
again, so two loops do no harm. Only reservations in the state HELD are changed.
"""

from discovery.clock import Clock
from services.chassis.store.database import Database, StoreOverloadedError, StoreUnavailableError
from services.chassis.telemetry import logs
from services.chassis.telemetry.error_text import describe
from services.inventory.api.reservation_writes import ReservationWrites

EXPIRE_EVERY_S = 1.0
# Holds per write; other writers wait in the meantime.
BATCH = 50


class HoldExpiry:
    """Looks for overdue holds every `every_s` seconds, with a read that takes no lock."""

    def __init__(
        self,
        *,
        database: Database,
        reservations: ReservationWrites,
        clock: Clock,
        every_s: float = EXPIRE_EVERY_S,
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._clock = clock
        self._every_s = every_s
        self._log = logs.get_logger("sweeper")

    async def run(self) -> None:
        """Expire overdue holds until cancelled."""
        while True:
            try:
                await self.expire_overdue()
            except (StoreUnavailableError, StoreOverloadedError) as error:
                self._log.warning("sweep_failed", error=describe(error))
            except Exception as error:  # noqa: BLE001 - the next round finds the same holds
                self._log.error("sweep_failed", error=describe(error), exc_info=error)
            await self._clock.sleep(self._every_s)

    async def expire_overdue(self) -> int:
        """Expire every overdue hold; returns their number."""
        expired = 0
        while await self._database.read(self._reservations.has_overdue, snapshot=False):
            expired += await self._database.write(self._reservations.expire, BATCH)
        return expired
