"""An instance with leases and a driver, for tests of the driver."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.lease import Claim, LeaseRow, Leases
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S

KIND = "checkout"
LEASE_S = 10.0
POLL_S = 0.5


class Instance:
    """One process of a service: its leases, its driver, and the claims that it drove."""

    def __init__(
        self,
        owner: str,
        database: Database,
        clock: ManualClock,
        work: Callable[["Instance", Claim], Awaitable[None]],
        *,
        max_running: int = 256,
    ) -> None:
        self.database = database
        self.clock = clock
        self.leases = Leases(owner=owner, clock=clock, rng=random.Random(owner), lease_s=LEASE_S)
        self._work = work
        self.driven: asyncio.Queue[Claim] = asyncio.Queue()
        self.proceed = asyncio.Event()
        self.driver = Driver(
            kind=KIND,
            database=database,
            leases=self.leases,
            clock=clock,
            rng=random.Random(owner),
            drive=self._drive,
            poll_s=POLL_S,
            max_running=max_running,
        )

    async def _drive(self, claim: Claim) -> None:
        self.driven.put_nowait(claim)
        await self._work(self, claim)

    async def place(self, subject: str) -> Claim:
        """Open work with a lease, like a handler does, and start the driver after the COMMIT."""
        return await self.database.write(self.leases.open, subject, KIND, then=self.driver.start)

    async def next_driven(self) -> Claim:
        async with asyncio.timeout(WAIT_S):
            return await self.driven.get()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Instance"]:
        task = asyncio.create_task(self.driver.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})


async def finish(instance: Instance, claim: Claim) -> None:
    """Finish the work at once."""
    await instance.database.write(instance.leases.close, claim)


async def wait_then_finish(instance: Instance, claim: Claim) -> None:
    """Finish the work when the test sets `proceed`."""
    await instance.proceed.wait()
    await finish(instance, claim)


async def step_until_draining(instance: Instance, claim: Claim) -> None:
    """Do steps until the process drains, then stop after the current step."""
    while not instance.driver.draining:
        await instance.proceed.wait()
        await instance.database.write(instance.leases.check, claim)


async def hang(_: Instance, __: Claim) -> None:
    """Never finish."""
    await asyncio.Event().wait()


def pending(connection: Connection) -> int:
    """The number of open leases."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM lease").scalar_one())


async def row_of(instance: Instance, subject: str) -> LeaseRow:
    """The lease of `subject`, which must exist."""
    row = await instance.database.read(instance.leases.get, subject)
    assert row is not None
    return row


async def advance_until(
    clock: ManualClock, reached: Callable[[], Awaitable[bool]], *, step_s: float = POLL_S
) -> None:
    """Advance the clock step by step until `reached` returns True."""
    async with asyncio.timeout(WAIT_S):
        while not await reached():
            await clock.advance(step_s)


async def nothing_pending(database: Database) -> bool:
    """Whether all work is done."""
    return await database.read(pending) == 0
