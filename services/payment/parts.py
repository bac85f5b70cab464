"""What an instance consists of, put together by hand; `service` adds the RPCs."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.log.tailer import Tailer
from services.chassis.server.instrumentation import Spans
from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Leases
from services.payment.api.use_cases import PaymentUseCases
from services.payment.domain.state import Payment
from services.payment.processor.driver import CALL_TIMEOUT_S, POLL_S, PaymentDrive
from services.payment.processor.port import Processor
from services.payment.store.payment_writes import LEASE_KIND, PaymentWrites

NAME = "payment"
MIGRATIONS = Path(__file__).parent / "store" / "migrations"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a lease holds, how often pending work is looked for, and how long a call may take.

    A call to the processor that takes longer has an unknown outcome. It must end well within
    its lease, which is not renewed meanwhile.
    """

    lease_s: float = 10.0
    poll_s: float = POLL_S
    call_timeout_s: float = CALL_TIMEOUT_S


DEFAULT_TIMING = Timing()


@dataclass(frozen=True, slots=True)
class Parts:
    """An instance without its servers; `tailer` and `driver` want to be run."""

    database: Database
    log: EventLog
    leases: Leases
    store: PaymentWrites
    tailer: Tailer
    driver: Driver
    payments: PaymentUseCases


@asynccontextmanager
async def open_parts(
    *,
    database_url: str,
    processor: Processor,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    owner: str = NAME,
    readers: int = 2,
    timing: Timing = DEFAULT_TIMING,
    spans: Spans | None = None,
) -> AsyncIterator[Parts]:
    """Open and migrate the database; close it when the block ends. Raises DatabaseSettingsError.

    `owner` names the instance; each run of it owns its leases under a name of its own. `spans`
    are those of the process, where it is traced.
    """
    database = await Database.open(
        database_url,
        clock=clock,
        owner=owner,
        readers=readers,
        spans=None if spans is None else spans.writes,
    )
    try:
        await database.migrate(MIGRATIONS)
        leases = Leases.of_a_run(owner, clock=clock, ids=ids, rng=rng, lease_s=timing.lease_s)
        yield _put_together(
            database, leases, processor, clock=clock, ids=ids, rng=rng, timing=timing
        )
    finally:
        await database.close()


def _put_together(
    database: Database,
    leases: Leases,
    processor: Processor,
    *,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    timing: Timing,
) -> Parts:
    log = EventLog(clock=clock, ids=ids)
    notices: LatestStates[Payment] = LatestStates()
    store = PaymentWrites(log=log, leases=leases, clock=clock, ids=ids)
    tailer = Tailer(database=database, log=log, clock=clock)
    drive = PaymentDrive(
        database=database,
        store=store,
        leases=leases,
        processor=processor,
        notices=notices,
        is_draining=lambda: driver.draining,
        call_timeout_s=timing.call_timeout_s,
    )
    driver = Driver(
        kind=LEASE_KIND,
        database=database,
        leases=leases,
        clock=clock,
        rng=rng,
        drive=drive,
        poll_s=timing.poll_s,
    )
    payments = PaymentUseCases(
        database=database, store=store, tailer=tailer, driver=driver, notices=notices, clock=clock
    )
    return Parts(database, log, leases, store, tailer, driver, payments)
