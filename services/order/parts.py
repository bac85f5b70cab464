"""Builds an instance by hand: what drives orders, what waits for them, and what they stand on."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import grpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.log.tailer import Tailer
from services.chassis.saga.runner import SagaRunner
from services.chassis.server.instrumentation import Spans
from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.latest_states import Notices
from services.chassis.work.lease import Leases
from services.order.api.order_writes import Orders, Written
from services.order.api.placing import Ordering
from services.order.api.waiting import Waiting
from services.order.checkout.consumer import CheckoutConsumer
from services.order.checkout.inventory_calls import InventoryCalls
from services.order.checkout.payment_calls import PaymentCalls
from services.order.checkout.saga import CHECKOUT, Checkout
from services.order.domain.commands import Command
from services.order.settings import SagaSettings
from services.order.store.order_streams import OrderStore, Standing
from services.order.store.recorder import Recorder
from services.order.store.sagas import Sagas

NAME = "order"
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Participants:
    """The channels to those whom the checkout calls."""

    inventory: grpc.aio.Channel
    payment: grpc.aio.Channel


@dataclass(frozen=True, slots=True)
class Feeds:
    """The channels to the feeds that are followed; ours is one of them.

    Without `reservations` nobody can be told what inventory says, and no checkout is choreographed.
    """

    orders: grpc.aio.Channel
    payments: grpc.aio.Channel
    reservations: grpc.aio.Channel | None = None


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
    consumer: CheckoutConsumer


@dataclass(frozen=True, slots=True)
class Means:
    """What an instance works with: where time, ids and chance come from, and whom it calls.

    Without `feeds` it has no customer summary, and no checkout is choreographed. `owner` names the
    instance; each run of it owns its leases under a name of its own. `spans` are those of the
    process, where it is traced.
    """

    clock: Clock
    ids: IdFactory
    rng: random.Random
    participants: Participants
    settings: SagaSettings
    feeds: Feeds | None = None
    owner: str = NAME
    poll_s: float = POLL_S
    spans: Spans | None = None


def assemble(database: Database, means: Means) -> Parts:
    """The parts of an instance on a migrated database."""
    clock, settings = means.clock, means.settings
    log = EventLog(clock=clock, ids=means.ids)
    store = OrderStore(log=log)
    notices: Notices[Standing] = Notices()
    recorder = Recorder(store=store, clock=clock, terms=settings.terms)
    tailer = Tailer(database=database, log=log, clock=clock)
    leases = Leases.of_a_run(
        means.owner, clock=clock, ids=means.ids, rng=means.rng, lease_s=settings.lease_s
    )
    inventory = InventoryCalls(InventoryServiceStub(means.participants.inventory))
    payment = PaymentCalls(PaymentServiceStub(means.participants.payment))
    checkout = Checkout(inventory=inventory, payment=payment, store=store, recorder=recorder)

    def draining() -> bool:
        return driver.draining

    runner = SagaRunner(
        saga=checkout,
        database=database,
        leases=leases,
        clock=clock,
        pace=settings.pace,
        draining=draining,
        told=lambda standing: notices.tell(standing.order.order_id, standing),
        spans=None if means.spans is None else means.spans.steps,
    )
    driver = _driver(database, leases, runner, means)
    orders = Orders(store=store, recorder=recorder, leases=leases, clock=clock, draining=draining)
    waiting = Waiting(database=database, tailer=tailer, notices=notices, store=store, clock=clock)
    begin = partial(_begin, runner, driver)
    ordering = Ordering(
        database=database,
        ids=means.ids,
        orders=orders,
        waiting=waiting,
        inventory=inventory,
        begin=begin,
    )
    consumer = CheckoutConsumer(
        store=store, recorder=recorder, orders=orders, go_on=partial(_go_on, notices, begin)
    )
    sagas = Sagas(store=store, leases=leases)
    follows = (tailer, driver, runner, ordering, waiting, consumer)
    return Parts(database, log, store, orders, sagas, leases, *follows)


def _driver(
    database: Database, leases: Leases, runner: SagaRunner[Standing, Command], means: Means
) -> Driver:
    return Driver(
        kind=CHECKOUT,
        database=database,
        leases=leases,
        clock=means.clock,
        rng=means.rng,
        drive=runner.drive,
        poll_s=means.poll_s,
    )


def _begin(runner: SagaRunner[Standing, Command], driver: Driver, written: Written) -> None:
    """Have the work of a committed write driven at once, on the state that it left."""
    if written.claim is not None and written.standing is not None:
        runner.begin(written.claim, written.standing)
        driver.start(written.claim)


def _go_on(notices: Notices[Standing], begin: Callable[[Written], None], written: Written) -> None:
    """Tell whoever waits for an order that its participants moved, and do what is ours to do."""
    if written.standing is not None:
        notices.tell(written.order_id, written.standing)
    begin(written)
