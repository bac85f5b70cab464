"""Builds the parts of an instance, without its servers."""

import random
from dataclasses import dataclass

import grpc

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.log.tailer import Tailer
from services.chassis.retention.settings import Retention
from services.chassis.retention.worker import RetentionWorker
from services.chassis.server.instrumentation import Recorders
from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Leases
from services.chassis.work.owner_watch import OwnerWatch
from services.payment.api.use_cases import PaymentUseCases
from services.payment.domain.state import Payment
from services.payment.processor.driver import DEFAULT_TIMING, DriveTiming, PaymentDrive
from services.payment.processor.port import Processor, TestingService
from services.payment.retention import archivable_payments
from services.payment.store.payment_writes import LEASE_KIND, PaymentWrites

NAME = "payment"


@dataclass(frozen=True, slots=True)
class FeedChannels:
    """Channels to the services whose feeds payment follows."""

    reservations: grpc.aio.Channel
    orders: grpc.aio.Channel


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an instance is built with.

    `testing` is the processor's own service, where it is to be served. Without `feeds` the
    instance takes no part in choreographed checkouts. `owner` names the instance; each run of it
    owns its leases under a name of its own. `recorders` are set where spans or metrics are
    exported, `retention` where payments that are over are archived.
    """

    clock: Clock
    ids: IdFactory
    rng: random.Random
    processor: Processor
    testing: TestingService | None = None
    feeds: FeedChannels | None = None
    owner: str = NAME
    timing: DriveTiming = DEFAULT_TIMING
    recorders: Recorders | None = None
    retention: Retention | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an instance; `tailer`, `owners` and `driver` have to be run."""

    database: Database
    log: EventLog
    leases: Leases
    owners: OwnerWatch
    store: PaymentWrites
    tailer: Tailer
    driver: Driver
    payments: PaymentUseCases


def assemble(database: Database, dependencies: Dependencies) -> Parts:
    """The parts of an instance on a migrated database."""
    clock, ids, timing = dependencies.clock, dependencies.ids, dependencies.timing
    leases = Leases.of_a_run(
        dependencies.owner, clock=clock, ids=ids, rng=dependencies.rng, lease_s=timing.lease_s
    )
    owners = OwnerWatch(database=database, leases=leases, clock=clock, rng=dependencies.rng)
    log = EventLog(clock=clock, ids=ids, instance_id=dependencies.owner)
    latest: LatestStates[Payment] = LatestStates()
    store = PaymentWrites(log=log, leases=leases, clock=clock, ids=ids)
    tailer = Tailer(database=database, log=log, clock=clock)
    drive = PaymentDrive(
        database=database,
        store=store,
        leases=leases,
        processor=dependencies.processor,
        latest=latest,
        is_draining=lambda: driver.draining,
        call_timeout_s=timing.call_timeout_s,
    )
    driver = Driver(
        kind=LEASE_KIND,
        database=database,
        leases=leases,
        clock=clock,
        rng=dependencies.rng,
        drive=drive,
        poll_s=timing.poll_s,
    )
    payments = PaymentUseCases(
        database=database, store=store, tailer=tailer, driver=driver, latest=latest, clock=clock
    )
    return Parts(database, log, leases, owners, store, tailer, driver, payments)


def retention_worker(parts: Parts, dependencies: Dependencies) -> RetentionWorker | None:
    """What archives and removes, where the instance has a retention."""
    if dependencies.retention is None or dependencies.feeds is None:
        return None
    return RetentionWorker(
        archivable_payments(NAME, dependencies.feeds.orders),
        dependencies.retention,
        database=parts.database,
        log=parts.log,
        leases=parts.leases,
        clock=dependencies.clock,
        rng=dependencies.rng,
        run_id=dependencies.ids.new("run"),
    )
