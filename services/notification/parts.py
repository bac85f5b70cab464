"""What an instance consists of, put together by hand; `service` adds the RPCs."""

import random
from dataclasses import dataclass

import grpc

from discovery.clock import Clock
from services.chassis.database import Database
from services.chassis.driver import Driver
from services.chassis.event_log import EventLog
from services.chassis.ids import IdFactory
from services.chassis.lease import Leases
from services.chassis.subscription import POLL_S as SUBSCRIPTION_POLL_S
from services.chassis.subscription import Subscription
from services.chassis.tailer import Tailer
from services.chassis.telemetry import Spans
from services.notification.consumer import CONSUMER, LEASE_KIND, OrderConsumer
from services.notification.driver import MAX_RUNNING, POLL_S, NotificationDrive
from services.notification.sender import Sender
from services.notification.wire import TYPES

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
    leases = Leases(owner=f"{means.owner}/{means.ids.new('run')}", clock=clock, rng=rng)
    driver = Driver(
        kind=LEASE_KIND,
        database=database,
        leases=leases,
        clock=clock,
        rng=rng,
        drive=NotificationDrive(
            database=database,
            leases=leases,
            sender=means.sender,
            clock=clock,
            sender_address=means.sender_address,
        ),
        poll_s=means.poll_s,
        max_running=MAX_RUNNING,
    )
    consumer = OrderConsumer(
        leases=leases,
        clock=clock,
        ids=means.ids,
        customer_domain=means.customer_domain,
        is_draining=lambda: driver.draining,
        start=driver.start,
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
        poll_s=means.subscription_poll_s,
    )
    tailer = Tailer(database=database, log=log, clock=clock)
    return Parts(database, log, tailer, subscription, driver)
