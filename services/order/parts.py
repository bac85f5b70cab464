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
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Leases
from services.order.api.order_writes import OrderWrites, WrittenOrder
from services.order.api.use_cases import OrderUseCases
from services.order.api.waiting import OrderWaiter
from services.order.checkout.consumer import CheckoutConsumer
from services.order.checkout.inventory_calls import InventoryCalls
from services.order.checkout.payment_calls import PaymentCalls
from services.order.checkout.saga import CHECKOUT, Checkout
from services.order.domain.commands import Command
from services.order.settings import SagaSettings
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import Recorder
from services.order.store.saga_listing import SagaListing

NAME = "order"
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class ParticipantChannels:
    """The channels to those whom the checkout calls."""

    inventory: grpc.aio.Channel
    payment: grpc.aio.Channel


@dataclass(frozen=True, slots=True)
class FeedChannels:
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
    store: OrderStreams
    orders: OrderWrites
    sagas: SagaListing
    leases: Leases
    tailer: Tailer
    driver: Driver
    runner: SagaRunner[LoadedOrder, Command]
    ordering: OrderUseCases
    waiting: OrderWaiter
    consumer: CheckoutConsumer


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an instance works with: where time, ids and chance come from, and whom it calls.

    Without `feeds` it has no customer summary, and no checkout is choreographed. `owner` names the
    instance; each run of it owns its leases under a name of its own. `spans` are those of the
    process, where it is traced.
    """

    clock: Clock
    ids: IdFactory
    rng: random.Random
    participants: ParticipantChannels
    settings: SagaSettings
    feeds: FeedChannels | None = None
    owner: str = NAME
    poll_s: float = POLL_S
    spans: Spans | None = None


def assemble(database: Database, dependencies: Dependencies) -> Parts:
    """The parts of an instance on a migrated database."""
    clock, settings = dependencies.clock, dependencies.settings
    log = EventLog(clock=clock, ids=dependencies.ids)
    store = OrderStreams(log=log)
    notices: LatestStates[LoadedOrder] = LatestStates()
    recorder = Recorder(store=store, clock=clock, terms=settings.terms)
    tailer = Tailer(database=database, log=log, clock=clock)
    leases = Leases.of_a_run(
        dependencies.owner,
        clock=clock,
        ids=dependencies.ids,
        rng=dependencies.rng,
        lease_s=settings.lease_s,
    )
    inventory = InventoryCalls(InventoryServiceStub(dependencies.participants.inventory))
    payment = PaymentCalls(PaymentServiceStub(dependencies.participants.payment))
    checkout = Checkout(inventory=inventory, payment=payment, store=store, recorder=recorder)

    def draining() -> bool:
        return driver.draining

    runner = SagaRunner(
        saga=checkout,
        database=database,
        leases=leases,
        clock=clock,
        timing=settings.timing,
        draining=draining,
        on_commit=lambda loaded: notices.record(loaded.order.order_id, loaded),
        spans=None if dependencies.spans is None else dependencies.spans.steps,
    )
    driver = _driver(database, leases, runner, dependencies)
    orders = OrderWrites(
        store=store, recorder=recorder, leases=leases, clock=clock, draining=draining
    )
    waiting = OrderWaiter(
        database=database, tailer=tailer, notices=notices, store=store, clock=clock
    )
    begin = partial(_begin, runner, driver)
    ordering = OrderUseCases(
        database=database,
        ids=dependencies.ids,
        orders=orders,
        waiting=waiting,
        inventory=inventory,
        begin=begin,
    )
    consumer = CheckoutConsumer(
        store=store, recorder=recorder, orders=orders, go_on=partial(_go_on, notices, begin)
    )
    sagas = SagaListing(store=store, leases=leases)
    follows = (tailer, driver, runner, ordering, waiting, consumer)
    return Parts(database, log, store, orders, sagas, leases, *follows)


def _driver(
    database: Database,
    leases: Leases,
    runner: SagaRunner[LoadedOrder, Command],
    dependencies: Dependencies,
) -> Driver:
    return Driver(
        kind=CHECKOUT,
        database=database,
        leases=leases,
        clock=dependencies.clock,
        rng=dependencies.rng,
        drive=runner.drive,
        poll_s=dependencies.poll_s,
    )


def _begin(runner: SagaRunner[LoadedOrder, Command], driver: Driver, written: WrittenOrder) -> None:
    """Have the work of a committed write driven at once, on the state that it left."""
    if written.claim is not None and written.loaded is not None:
        runner.begin(written.claim, written.loaded)
        driver.start(written.claim)


def _go_on(
    notices: LatestStates[LoadedOrder], begin: Callable[[WrittenOrder], None], written: WrittenOrder
) -> None:
    """Tell whoever waits for an order that its participants moved, and do what is ours to do."""
    if written.loaded is not None:
        notices.record(written.order_id, written.loaded)
    begin(written)
