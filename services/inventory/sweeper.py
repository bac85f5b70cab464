"""Ends holds whose time is over, whether or not anybody asks for their units.

It runs on every instance: writers are serial and each write looks again, so two sweepers do no
harm, and nobody has to be elected. It touches only what is HELD.
"""

from discovery.clock import Clock
from services.chassis.store.database import Database
from services.chassis.telemetry import logs
from services.inventory.api.reservation_writes import Reservations

SWEEP_EVERY_S = 1.0
# Holds per write: others wait meanwhile.
BATCH = 50


class Sweeper:
    """Looks every second; an ordinary look is a read and takes no lock."""

    def __init__(
        self,
        *,
        database: Database,
        reservations: Reservations,
        clock: Clock,
        every_s: float = SWEEP_EVERY_S,
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._clock = clock
        self._every_s = every_s
        self._log = logs.get_logger("sweeper")

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - the store may be away; the next look finds the same holds
                self._log.warning("sweep failed", error=str(error), exc_info=error)
            await self._clock.sleep(self._every_s)

    async def sweep(self) -> int:
        """Expire every hold whose time is over; how many it were."""
        expired = 0
        while await self._database.read(self._reservations.has_run_out):
            expired += await self._database.write(self._reservations.expire, BATCH)
        return expired
