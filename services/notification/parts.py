"""Puts an instance together from its parts; `service` adds the RPCs."""

import random
from dataclasses import dataclass
from functools import partial

import grpc

from discovery.clock import Clock
from services.chassis.consumer.subscription import POLL_S as SUBSCRIPTION_POLL_S
from services.chassis.consumer.subscription import Subscription
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.log.tailer import Tailer
from services.chassis.retention.settings import Retention
from services.chassis.retention.worker import RetentionWorker
from services.chassis.server.instrumentation import Recorders
from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.lease import Claim, Leases
from services.chassis.work.owner_watch import OwnerWatch
from services.notification.domain.state import Notification
from services.notification.retention import archivable_notifications
from services.notification.sending.consumer import BATCH_WAIT, CONSUMER, LEASE_KIND, OrderConsumer
from services.notification.sending.delivery import MAX_RUNNING, POLL_S, NotificationDelivery
from services.notification.sending.port import Sender
from services.notification.wire.events import TYPES

NAME = "notification"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an instance takes from outside.

    `orders` is a channel to the order service. `customer_domain` is the part of a customer's
    address after the @. `owner` names the instance; each run of it owns its leases under a name
    of its own. `recorders` are set where spans or metrics are exported, `retention` where what was
    sent is archived.
    """

    clock: Clock
    ids: IdFactory
    rng: random.Random
    orders: grpc.aio.Channel
    sender: Sender
    sender_address: str
    customer_domain: str
    owner: str = NAME
    poll_s: float = POLL_S
    subscription_poll_s: float = SUBSCRIPTION_POLL_S
    recorders: Recorders | None = None
    retention: Retention | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """An instance without its server, which runs all but `log`."""

    database: Database
    log: EventLog
    leases: Leases
    tailer: Tailer
    owners: OwnerWatch
    subscription: Subscription
    driver: Driver


def assemble(database: Database, dependencies: Dependencies) -> Parts:
    """Put an instance together on a migrated database."""
    clock, ids, rng = dependencies.clock, dependencies.ids, dependencies.rng
    log = EventLog(clock=clock, ids=ids, instance_id=dependencies.owner)
    leases = Leases.of_a_run(dependencies.owner, clock=clock, ids=ids, rng=rng)
    delivery = NotificationDelivery(
        database=database,
        leases=leases,
        sender=dependencies.sender,
        clock=clock,
        sender_address=dependencies.sender_address,
    )
    driver = Driver(
        kind=LEASE_KIND,
        database=database,
        leases=leases,
        clock=clock,
        rng=rng,
        drive=delivery,
        poll_s=dependencies.poll_s,
        max_running=MAX_RUNNING,
    )
    consumer = OrderConsumer(
        leases=leases,
        clock=clock,
        ids=ids,
        customer_domain=dependencies.customer_domain,
        is_draining=lambda: driver.draining,
        start=partial(_start_delivery, delivery, driver),
    )
    subscription = _subscription(consumer, database, leases, dependencies)
    tailer = Tailer(database=database, log=log, clock=clock)
    owners = OwnerWatch(database=database, leases=leases, clock=clock, rng=rng)
    return Parts(database, log, leases, tailer, owners, subscription, driver)


def _subscription(
    consumer: OrderConsumer, database: Database, leases: Leases, dependencies: Dependencies
) -> Subscription:
    """The subscription to the order feed, whose events are traced where spans are exported."""
    recorders = dependencies.recorders
    return Subscription(
        dependencies.orders,
        CONSUMER,
        consumer if recorders is None else recorders.traced(CONSUMER, consumer),
        database=database,
        leases=leases,
        clock=dependencies.clock,
        ids=dependencies.ids,
        rng=dependencies.rng,
        types=TYPES,
        gather=BATCH_WAIT,
        poll_s=dependencies.subscription_poll_s,
    )


def retention_worker(parts: Parts, dependencies: Dependencies) -> RetentionWorker | None:
    """What archives and removes, where the instance has a retention."""
    if dependencies.retention is None:
        return None
    return RetentionWorker(
        archivable_notifications(NAME, dependencies.orders),
        dependencies.retention,
        database=parts.database,
        log=parts.log,
        leases=parts.leases,
        clock=dependencies.clock,
        rng=dependencies.rng,
        run_id=dependencies.ids.new("run"),
    )


def _start_delivery(
    delivery: NotificationDelivery, driver: Driver, claim: Claim, notification: Notification
) -> None:
    """Deliver a notification that was just committed, without loading it again."""
    delivery.remember(claim, notification)
    driver.start(claim)
