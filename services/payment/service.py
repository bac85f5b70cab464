"""Builds the whole service from its parts; `__main__` and the tests use this very function."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
from tradepost.payment.testing.v1 import simulated_processor_service_pb2
from tradepost.payment.testing.v1.simulated_processor_service_pb2_grpc import (
    add_SimulatedProcessorServiceServicer_to_server,
)
from tradepost.payment.v1 import payment_service_pb2
from tradepost.payment.v1.payment_service_pb2_grpc import add_PaymentServiceServicer_to_server

from discovery.clock import Clock
from services.chassis.database import Database
from services.chassis.driver import Driver
from services.chassis.event_log import EventLog
from services.chassis.ids import IdFactory
from services.chassis.lease import Leases
from services.chassis.server import Service
from services.chassis.tailer import Tailer
from services.payment.driver import CALL_TIMEOUT_S, POLL_S, PaymentDrive
from services.payment.notices import Notices
from services.payment.payments import Payments
from services.payment.processor import Processor
from services.payment.servicer import PaymentServicer
from services.payment.simulated_processor import SimulatedProcessor
from services.payment.simulated_servicer import SimulatedProcessorServicer
from services.payment.store import LEASE_KIND, PaymentStore
from services.payment.wire import ERRORS

NAME = "payment"
LEASE_S = 10.0
MIGRATIONS = Path(__file__).parent / "migrations"

_SERVICE = payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"].full_name
_TESTING = simulated_processor_service_pb2.DESCRIPTOR.services_by_name[
    "SimulatedProcessorService"
].full_name
_WAITING = ("AuthorizePayment", "CapturePayment", "VoidPayment", "RefundPayment")
_COMPENSATIONS = ("VoidPayment", "RefundPayment")


@dataclass(frozen=True, slots=True)
class Parts:
    """What an instance consists of, without its servers; `tailer` and `driver` want to be run."""

    database: Database
    leases: Leases
    store: PaymentStore
    tailer: Tailer
    driver: Driver
    payments: Payments


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
    lease_s: float = LEASE_S,
    poll_s: float = POLL_S,
    call_timeout_s: float = CALL_TIMEOUT_S,
) -> AsyncIterator[Parts]:
    """Open and migrate the database; close it when the block ends. Raises DatabaseSettingsError.

    `owner` names the instance; each run of it owns its leases under a name of its own. A call to
    the processor that takes longer than `call_timeout_s` has an unknown outcome.
    """
    database = await Database.open(database_url, clock=clock, owner=owner, readers=readers)
    try:
        await database.migrate(MIGRATIONS)
        log = EventLog(clock=clock, ids=ids)
        leases = Leases(owner=f"{owner}/{ids.new('run')}", clock=clock, rng=rng, lease_s=lease_s)
        store = PaymentStore(log=log, leases=leases, clock=clock, ids=ids)
        tailer = Tailer(database=database, log=log, clock=clock)
        notices = Notices()
        drive = PaymentDrive(
            database=database,
            store=store,
            leases=leases,
            processor=processor,
            notices=notices,
            is_draining=lambda: driver.draining,
            call_timeout_s=call_timeout_s,
        )
        driver = Driver(
            kind=LEASE_KIND,
            database=database,
            leases=leases,
            clock=clock,
            rng=rng,
            drive=drive,
            poll_s=poll_s,
        )
        payments = Payments(
            database=database,
            store=store,
            tailer=tailer,
            driver=driver,
            notices=notices,
            clock=clock,
        )
        yield Parts(database, leases, store, tailer, driver, payments)
    finally:
        await database.close()


def to_service(
    parts: Parts, *, ids: IdFactory, testing: SimulatedProcessor | None = None
) -> Service:
    """The parts behind their RPCs; `testing` is the processor whose book is served."""
    servicer = PaymentServicer(payments=parts.payments, database=parts.database, ids=ids)
    return Service(
        name=NAME,
        servicers=(
            partial(add_PaymentServiceServicer_to_server, servicer),
            *_testing_servicers(testing),
        ),
        service_names=(_SERVICE,) if testing is None else (_SERVICE, _TESTING),
        errors=ERRORS,
        waiting_methods=frozenset(f"/{_SERVICE}/{method}" for method in _WAITING),
        compensation_methods=frozenset(f"/{_SERVICE}/{method}" for method in _COMPENSATIONS),
        background=(parts.tailer.run, parts.driver.run),
        on_drain=(parts.tailer.stop_waiters, parts.driver.drain),
    )


@asynccontextmanager
async def build(
    *,
    database_url: str,
    processor: Processor,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    owner: str = NAME,
    readers: int = 2,
    lease_s: float = LEASE_S,
    poll_s: float = POLL_S,
    testing: SimulatedProcessor | None = None,
) -> AsyncIterator[Service]:
    """The whole service; the arguments are those of `open_parts` and `to_service`."""
    async with open_parts(
        database_url=database_url,
        processor=processor,
        clock=clock,
        ids=ids,
        rng=rng,
        owner=owner,
        readers=readers,
        lease_s=lease_s,
        poll_s=poll_s,
    ) as parts:
        yield to_service(parts, ids=ids, testing=testing)


def _testing_servicers(
    testing: SimulatedProcessor | None,
) -> tuple[Callable[[grpc.aio.Server], None], ...]:
    if testing is None:
        return ()
    servicer = SimulatedProcessorServicer(testing)
    return (partial(add_SimulatedProcessorServiceServicer_to_server, servicer),)
