"""Assembles an instance of the order service, without its server and without its subscriptions."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import grpc

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.log.event_log import EventLog
from services.chassis.log.tailer import Tailer
from services.chassis.request.idempotent_writes import IdempotentWrites
from services.chassis.retention.settings import Retention
from services.chassis.retention.worker import RetentionWorker
from services.chassis.saga.runner import SagaRunner
from services.chassis.server.instrumentation import Recorders
from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Leases
from services.chassis.work.owner_watch import OwnerWatch
from services.order.api.order_writes import OrderWrites
from services.order.api.use_cases import OrderUseCases
from services.order.api.waiting import OrderWaiter
from services.order.checkout.checkout_leases import CheckoutLeases, WrittenOrder
from services.order.checkout.consumer import CheckoutConsumer
from services.order.checkout.participants import ParticipantChannels, Participants
from services.order.checkout.refund_consumer import RefundConsumer
from services.order.checkout.saga import CheckoutSaga
from services.order.domain.commands import Command
from services.order.retention.due_orders import archivable_orders
from services.order.settings import SagaSettings
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import OrderRecorder
from services.order.store.saga_listing import SagaListing
from services.order.store.tables import CHECKOUT_LEASE

NAME = "order"
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class FeedChannels:
    """The channels to the feeds that an instance follows; `orders` leads to the service itself.

    Without `reservations` an instance cannot follow inventory, and offers no choreography.
    """

    orders: grpc.aio.Channel
    payments: grpc.aio.Channel
    reservations: grpc.aio.Channel | None = None


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an instance takes from outside.

    Without `feeds` it has no customer summary and offers no choreography, and without `retention`
    every order stays. `owner` names the instance; each run of it owns its leases under a name of
    its own. `recorders` are set where spans or metrics are exported.
    """

    clock: Clock
    ids: IdFactory
    rng: random.Random
    participants: ParticipantChannels
    settings: SagaSettings
    feeds: FeedChannels | None = None
    owner: str = NAME
    poll_s: float = POLL_S
    recorders: Recorders | None = None
    retention: Retention | None = None


@dataclass(frozen=True, slots=True)
class StoreParts:
    """The database of an instance, and what reads and writes it.

    The server runs `tailer` and `owners`.
    """

    database: Database
    log: EventLog
    streams: OrderStreams
    recorder: OrderRecorder
    leases: Leases
    owners: OwnerWatch
    sagas: SagaListing
    tailer: Tailer
    latest: LatestStates[LoadedOrder]


@dataclass(frozen=True, slots=True)
class Parts:
    """An instance without its server, which runs `driver` and parts of `store`."""

    store: StoreParts
    checkout_leases: CheckoutLeases
    driver: Driver
    runner: SagaRunner[LoadedOrder, Command]
    writes: OrderWrites
    use_cases: OrderUseCases
    waiter: OrderWaiter
    consumer: CheckoutConsumer
    refunds: RefundConsumer


def assemble(database: Database, dependencies: Dependencies) -> Parts:
    """Put an instance together on a migrated database."""
    store = _store(database, dependencies)
    participants = Participants(dependencies.participants)
    runner, driver = _saga(store, participants, dependencies)
    start = partial(_start, runner, driver)
    checkout_leases = CheckoutLeases(leases=store.leases, draining=lambda: driver.draining)
    writes = OrderWrites(
        streams=store.streams,
        recorder=store.recorder,
        leases=store.leases,
        checkout_leases=checkout_leases,
        clock=dependencies.clock,
    )
    waiter = OrderWaiter(
        database=database,
        tailer=store.tailer,
        latest=store.latest,
        streams=store.streams,
        clock=dependencies.clock,
    )
    use_cases = OrderUseCases(
        database=database,
        ids=dependencies.ids,
        writes=writes,
        audited=AuditedWrites(IdempotentWrites(database, dependencies.clock), dependencies.owner),
        waiter=waiter,
        inventory=participants.inventory,
        start=start,
    )
    consumer = CheckoutConsumer(
        streams=store.streams,
        recorder=store.recorder,
        leases=checkout_leases,
        after_commit=partial(_after_report, store.latest, start),
    )
    refunds = RefundConsumer(
        streams=store.streams,
        recorder=store.recorder,
        after_commit=lambda loaded: store.latest.record(loaded.order.order_id, loaded),
    )
    return Parts(
        store, checkout_leases, driver, runner, writes, use_cases, waiter, consumer, refunds
    )


def retention_worker(store: StoreParts, dependencies: Dependencies) -> RetentionWorker | None:
    """What archives and removes orders, where the instance has a retention."""
    if dependencies.retention is None:
        return None
    return RetentionWorker(
        archivable_orders(NAME, dependencies.clock),
        dependencies.retention,
        database=store.database,
        log=store.log,
        leases=store.leases,
        clock=dependencies.clock,
        rng=dependencies.rng,
        run_id=dependencies.ids.new("run"),
    )


def _store(database: Database, dependencies: Dependencies) -> StoreParts:
    clock, ids = dependencies.clock, dependencies.ids
    log = EventLog(clock=clock, ids=ids, instance_id=dependencies.owner)
    streams = OrderStreams(log=log)
    leases = Leases.of_a_run(
        dependencies.owner,
        clock=clock,
        ids=ids,
        rng=dependencies.rng,
        lease_s=dependencies.settings.lease_s,
    )
    return StoreParts(
        database=database,
        log=log,
        streams=streams,
        recorder=OrderRecorder(streams=streams, clock=clock, terms=dependencies.settings.terms),
        leases=leases,
        owners=OwnerWatch(database=database, leases=leases, clock=clock, rng=dependencies.rng),
        sagas=SagaListing(streams=streams, leases=leases),
        tailer=Tailer(database=database, log=log, clock=clock),
        latest=LatestStates(),
    )


def _saga(
    store: StoreParts, participants: Participants, dependencies: Dependencies
) -> tuple[SagaRunner[LoadedOrder, Command], Driver]:
    saga = CheckoutSaga(
        actions=participants.actions, streams=store.streams, recorder=store.recorder
    )
    runner = SagaRunner(
        saga=saga,
        database=store.database,
        leases=store.leases,
        clock=dependencies.clock,
        timing=dependencies.settings.timing,
        draining=lambda: driver.draining,
        on_commit=lambda loaded: store.latest.record(loaded.order.order_id, loaded),
        spans=None if dependencies.recorders is None else dependencies.recorders.steps,
    )
    driver = Driver(
        kind=CHECKOUT_LEASE,
        database=store.database,
        leases=store.leases,
        clock=dependencies.clock,
        rng=dependencies.rng,
        drive=runner.drive,
        poll_s=dependencies.poll_s,
    )
    return runner, driver


def _start(runner: SagaRunner[LoadedOrder, Command], driver: Driver, written: WrittenOrder) -> None:
    """Start the work of a committed write, without loading the order again."""
    if written.claim is not None and written.loaded is not None:
        runner.begin(written.claim, written.loaded)
        driver.start(written.claim)


def _after_report(
    latest: LatestStates[LoadedOrder],
    start: Callable[[WrittenOrder], None],
    written: WrittenOrder,
) -> None:
    """Show callers that wait the order that a participant changed, and start the work on it."""
    if written.loaded is not None:
        latest.record(written.order_id, written.loaded)
    start(written)
