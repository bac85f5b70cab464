"""Assembles an instance of the order service, without its server and without its subscriptions."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import grpc

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
from services.order.api.order_writes import OrderWrites
from services.order.api.use_cases import OrderUseCases
from services.order.api.waiting import OrderWaiter
from services.order.checkout.checkout_leases import CheckoutLeases, WrittenOrder
from services.order.checkout.consumer import CheckoutConsumer
from services.order.checkout.participants import ParticipantChannels, Participants
from services.order.checkout.saga import CheckoutSaga
from services.order.domain.commands import Command
from services.order.settings import SagaSettings
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import Recorder
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

    Without `feeds` it has no customer summary and offers no choreography. `owner` names the
    instance; each run of it owns its leases under a name of its own. `spans` are those of the
    process, if it is traced.
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


@dataclass(frozen=True, slots=True)
class Parts:
    """An instance without its server, which runs `tailer` and `driver`."""

    database: Database
    log: EventLog
    streams: OrderStreams
    recorder: Recorder
    sagas: SagaListing
    leases: Leases
    checkout_leases: CheckoutLeases
    tailer: Tailer
    driver: Driver
    runner: SagaRunner[LoadedOrder, Command]
    writes: OrderWrites
    use_cases: OrderUseCases
    waiter: OrderWaiter
    consumer: CheckoutConsumer


def assemble(database: Database, dependencies: Dependencies) -> Parts:
    """Put an instance together on a migrated database."""
    clock, ids, settings = dependencies.clock, dependencies.ids, dependencies.settings
    log = EventLog(clock=clock, ids=ids)
    streams = OrderStreams(log=log)
    latest: LatestStates[LoadedOrder] = LatestStates()
    recorder = Recorder(streams=streams, clock=clock, terms=settings.terms)
    tailer = Tailer(database=database, log=log, clock=clock)
    leases = Leases.of_a_run(
        dependencies.owner, clock=clock, ids=ids, rng=dependencies.rng, lease_s=settings.lease_s
    )
    participants = Participants(dependencies.participants)

    def draining() -> bool:
        return driver.draining

    runner = SagaRunner(
        saga=CheckoutSaga(actions=participants.actions, streams=streams, recorder=recorder),
        database=database,
        leases=leases,
        clock=clock,
        timing=settings.timing,
        draining=draining,
        on_commit=lambda loaded: latest.record(loaded.order.order_id, loaded),
        spans=None if dependencies.spans is None else dependencies.spans.steps,
    )
    driver = _driver(database, leases, runner, dependencies)
    checkout_leases = CheckoutLeases(leases=leases, draining=draining)
    start = partial(_start, runner, driver)
    writes = OrderWrites(
        streams=streams,
        recorder=recorder,
        leases=leases,
        checkout_leases=checkout_leases,
        clock=clock,
    )
    waiter = OrderWaiter(
        database=database, tailer=tailer, latest=latest, streams=streams, clock=clock
    )
    return Parts(
        database=database,
        log=log,
        streams=streams,
        recorder=recorder,
        sagas=SagaListing(streams=streams, leases=leases),
        leases=leases,
        checkout_leases=checkout_leases,
        tailer=tailer,
        driver=driver,
        runner=runner,
        writes=writes,
        use_cases=OrderUseCases(
            database=database,
            ids=ids,
            writes=writes,
            waiter=waiter,
            inventory=participants.inventory,
            start=start,
        ),
        waiter=waiter,
        consumer=CheckoutConsumer(
            streams=streams,
            recorder=recorder,
            leases=checkout_leases,
            after_commit=partial(_after_report, latest, start),
        ),
    )


def _driver(
    database: Database,
    leases: Leases,
    runner: SagaRunner[LoadedOrder, Command],
    dependencies: Dependencies,
) -> Driver:
    return Driver(
        kind=CHECKOUT_LEASE,
        database=database,
        leases=leases,
        clock=dependencies.clock,
        rng=dependencies.rng,
        drive=runner.drive,
        poll_s=dependencies.poll_s,
    )


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
