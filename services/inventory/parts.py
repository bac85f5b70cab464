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
from services.chassis.work.lease import Leases
from services.chassis.work.owner_watch import OwnerWatch
from services.inventory.api.item_writes import ItemWrites
from services.inventory.api.reservation_writes import ReservationWrites
from services.inventory.hold_expiry import EXPIRE_EVERY_S, HoldExpiry
from services.inventory.retention import archivable_reservations

NAME = "inventory"


@dataclass(frozen=True, slots=True)
class FeedChannels:
    """Channels to the services whose feeds inventory follows."""

    orders: grpc.aio.Channel
    payments: grpc.aio.Channel


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an instance is built with.

    `owner` names the instance. Without `feeds` it takes no part in choreographed checkouts.
    `recorders` are set where spans or metrics are exported, `retention` where reservations that
    are over are archived.
    """

    clock: Clock
    ids: IdFactory
    rng: random.Random
    feeds: FeedChannels | None = None
    owner: str = NAME
    expire_every_s: float = EXPIRE_EVERY_S
    recorders: Recorders | None = None
    retention: Retention | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an instance; `tailer`, `owners` and `expiry` have to be run."""

    database: Database
    log: EventLog
    items: ItemWrites
    reservations: ReservationWrites
    expiry: HoldExpiry
    leases: Leases
    owners: OwnerWatch
    tailer: Tailer


def assemble(database: Database, dependencies: Dependencies) -> Parts:
    """The parts of an instance on a migrated database."""
    clock = dependencies.clock
    log = EventLog(clock=clock, ids=dependencies.ids, instance_id=dependencies.owner)
    reservations = ReservationWrites(log=log, clock=clock)
    expiry = HoldExpiry(
        database=database,
        reservations=reservations,
        clock=clock,
        every_s=dependencies.expire_every_s,
    )
    leases = Leases.of_a_run(
        dependencies.owner, clock=clock, ids=dependencies.ids, rng=dependencies.rng
    )
    return Parts(
        database=database,
        log=log,
        items=ItemWrites(log=log, clock=clock),
        reservations=reservations,
        expiry=expiry,
        leases=leases,
        owners=OwnerWatch(database=database, leases=leases, clock=clock, rng=dependencies.rng),
        tailer=Tailer(database=database, log=log, clock=clock),
    )


def retention_worker(parts: Parts, dependencies: Dependencies) -> RetentionWorker | None:
    """What archives and removes, where the instance has a retention."""
    if dependencies.retention is None or dependencies.feeds is None:
        return None
    return RetentionWorker(
        archivable_reservations(NAME, dependencies.feeds.orders),
        dependencies.retention,
        database=parts.database,
        log=parts.log,
        leases=parts.leases,
        clock=dependencies.clock,
        rng=dependencies.rng,
        run_id=dependencies.ids.new("run"),
    )
