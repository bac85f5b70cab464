"""Builds the whole service from its parts; `__main__` and the tests use this very function."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.admin.v1 import saga_admin_service_pb2
from tradepost.order.admin.v1.saga_admin_service_pb2_grpc import (
    add_SagaAdminServiceServicer_to_server,
)
from tradepost.order.v1 import order_service_pb2
from tradepost.order.v1.order_service_pb2_grpc import add_OrderServiceServicer_to_server
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from discovery.clock import Clock
from services.chassis.database import Database
from services.chassis.driver import Driver
from services.chassis.event_log import EventLog
from services.chassis.ids import IdFactory
from services.chassis.lease import Leases
from services.chassis.saga_runner import SagaRunner
from services.chassis.server import Service
from services.chassis.tailer import Tailer
from services.order.admin_servicer import SagaAdminServicer
from services.order.checkout import CHECKOUT, Checkout
from services.order.commands import Command
from services.order.inventory_calls import InventoryCalls
from services.order.ordering import Ordering
from services.order.orders import Change, Orders
from services.order.payment_calls import PaymentCalls
from services.order.recording import Recorder
from services.order.sagas import Sagas
from services.order.servicer import OrderServicer
from services.order.settings import SagaSettings
from services.order.store import OrderStore, Standing
from services.order.waiting import Waiting
from services.order.wire import ERRORS

NAME = "order"
POLL_S = 0.25
MIGRATIONS = Path(__file__).parent / "migrations"

_ORDERS = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
_ADMIN = saga_admin_service_pb2.DESCRIPTOR.services_by_name["SagaAdminService"].full_name
_WAITING = ("CreateOrder", "CancelOrder", "FulfillOrder", "WatchOrder")
_COMPENSATIONS = ("CancelOrder",)


@dataclass(frozen=True, slots=True)
class Participants:
    """The channels to those whom the checkout calls."""

    inventory: grpc.aio.Channel
    payment: grpc.aio.Channel


@dataclass(frozen=True, slots=True)
class Parts:
    """What an instance consists of, without its servers; `tailer` and `driver` want to be run."""

    database: Database
    log: EventLog
    store: OrderStore
    orders: Orders
    sagas: Sagas
    leases: Leases
    tailer: Tailer
    driver: Driver
    runner: SagaRunner[Standing, Command]
    ordering: Ordering
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class Means:
    """What an instance works with: where time, ids and chance come from, and whom it calls.

    `owner` names the instance; each run of it owns its leases under a name of its own.
    """

    clock: Clock
    ids: IdFactory
    rng: random.Random
    participants: Participants
    settings: SagaSettings
    owner: str = NAME
    poll_s: float = POLL_S


def assemble(database: Database, means: Means) -> Parts:
    """The parts of an instance on a migrated database."""
    clock, settings = means.clock, means.settings
    log = EventLog(clock=clock, ids=means.ids)
    store = OrderStore(log=log)
    recorder = Recorder(store=store, clock=clock, terms=settings.terms)
    tailer = Tailer(database=database, log=log, clock=clock)
    run = f"{means.owner}/{means.ids.new('run')}"
    leases = Leases(owner=run, clock=clock, rng=means.rng, lease_s=settings.lease_s)
    inventory = InventoryCalls(InventoryServiceStub(means.participants.inventory))
    payment = PaymentCalls(PaymentServiceStub(means.participants.payment))
    runner = SagaRunner(
        saga=Checkout(inventory=inventory, payment=payment, store=store, recorder=recorder),
        database=database,
        leases=leases,
        clock=clock,
        pace=settings.pace,
        draining=lambda: driver.draining,
    )
    driver = Driver(
        kind=CHECKOUT,
        database=database,
        leases=leases,
        clock=clock,
        rng=means.rng,
        drive=runner.drive,
        poll_s=means.poll_s,
    )
    orders = Orders(
        store=store,
        recorder=recorder,
        leases=leases,
        clock=clock,
        draining=lambda: driver.draining,
    )
    waiting = Waiting(database=database, tailer=tailer, store=store, clock=clock)
    ordering = Ordering(
        database=database,
        tailer=tailer,
        ids=means.ids,
        orders=orders,
        waiting=waiting,
        inventory=inventory,
        begin=partial(_begin, runner, driver),
    )
    sagas = Sagas(store=store, leases=leases)
    return Parts(
        database, log, store, orders, sagas, leases, tailer, driver, runner, ordering, waiting
    )


def _begin(runner: SagaRunner[Standing, Command], driver: Driver, change: Change) -> None:
    """Have the work of a committed change driven at once, on what was just written."""
    if change.claim is not None and change.standing is not None:
        runner.begin(change.claim, change.standing)
        driver.start(change.claim)


def to_service(parts: Parts, *, clock: Clock) -> Service:
    """The parts behind their RPCs."""
    orders = OrderServicer(
        database=parts.database,
        log=parts.log,
        store=parts.store,
        ordering=parts.ordering,
        waiting=parts.waiting,
    )
    admin = SagaAdminServicer(
        database=parts.database, sagas=parts.sagas, ordering=parts.ordering, clock=clock
    )
    return Service(
        name=NAME,
        servicers=(
            partial(add_OrderServiceServicer_to_server, orders),
            partial(add_SagaAdminServiceServicer_to_server, admin),
        ),
        service_names=(_ORDERS, _ADMIN),
        errors=ERRORS,
        waiting_methods=frozenset(f"/{_ORDERS}/{method}" for method in _WAITING),
        compensation_methods=frozenset(f"/{_ORDERS}/{method}" for method in _COMPENSATIONS),
        background=(parts.tailer.run, parts.driver.run),
        on_drain=(parts.tailer.stop_waiters, parts.driver.drain),
    )


@asynccontextmanager
async def build(*, database_url: str, means: Means, readers: int = 2) -> AsyncIterator[Service]:
    """Open and migrate the database; close it when the block ends. Raises DatabaseSettingsError."""
    database = await Database.open(
        database_url, clock=means.clock, owner=means.owner, readers=readers
    )
    try:
        await database.migrate(MIGRATIONS)
        yield to_service(assemble(database, means), clock=means.clock)
    finally:
        await database.close()
