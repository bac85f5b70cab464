"""What an instance consists of, put together by hand; `service` adds the RPCs."""

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
from services.chassis.server.instrumentation import Spans
from services.chassis.store.database import Database
from services.chassis.work.driver import Driver
from services.chassis.work.lease import Claim, Leases
from services.notification.domain.rules import Notification
from services.notification.sending.consumer import CONSUMER, GATHER, LEASE_KIND, OrderConsumer
from services.notification.sending.driver import MAX_RUNNING, POLL_S, NotificationDrive
from services.notification.sending.port import Sender
from services.notification.wire.replies import TYPES

NAME = "notification"


@dataclass(frozen=True, slots=True)
class Means:
    """What an instance works with: time, ids and chance, whom it follows, and who delivers.

    `orders` is a channel to the order service, `customer_domain` what follows the @ of a
    customer's address. `owner` names the instance; each run of it owns its leases under a name of
    its own.
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
    spans: Spans | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """An instance without its servers; `tailer`, `subscription` and `driver` want to be run."""

    database: Database
    log: EventLog
    tailer: Tailer
    subscription: Subscription
    driver: Driver


def assemble(database: Database, means: Means) -> Parts:
    """The parts of an instance on a migrated database."""
    clock, rng = means.clock, means.rng
    log = EventLog(clock=clock, ids=means.ids)
    leases = Leases.of_a_run(means.owner, clock=clock, ids=means.ids, rng=rng)
    drive = NotificationDrive(
        database=database,
        leases=leases,
        sender=means.sender,
        clock=clock,
        sender_address=means.sender_address,
    )
    driver = Driver(
        kind=LEASE_KIND,
        database=database,
        leases=leases,
        clock=clock,
        rng=rng,
        drive=drive,
        poll_s=means.poll_s,
        max_running=MAX_RUNNING,
    )
    consumer = OrderConsumer(
        leases=leases,
        clock=clock,
        ids=means.ids,
        customer_domain=means.customer_domain,
        is_draining=lambda: driver.draining,
        start=partial(_begin, drive, driver),
    )
    subscription = Subscription(
        means.orders,
        CONSUMER,
        consumer,
        database=database,
        leases=leases,
        clock=clock,
        ids=means.ids,
        rng=rng,
        types=TYPES,
        gather=GATHER,
        poll_s=means.subscription_poll_s,
    )
    tailer = Tailer(database=database, log=log, clock=clock)
    return Parts(database, log, tailer, subscription, driver)


def _begin(
    drive: NotificationDrive, driver: Driver, claim: Claim, notification: Notification
) -> None:
    """Have a notification that was just committed sent at once, as it was written."""
    drive.begin(claim, notification)
    driver.start(claim)
