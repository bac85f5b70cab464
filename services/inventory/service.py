"""Builds the whole service from its parts; `__main__` and the tests use this very function."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

from tradepost.inventory.v1 import inventory_service_pb2
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    add_InventoryServiceServicer_to_server,
)

from discovery.clock import Clock
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.feed.feed import Feed
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.log.tailer import Tailer
from services.chassis.server.instrumentation import Spans
from services.chassis.server.service import Service
from services.chassis.store.database import Database
from services.inventory.api.items import Items
from services.inventory.api.reservation_writes import Reservations
from services.inventory.api.servicer import InventoryServicer
from services.inventory.subscriptions import Feeds, follow
from services.inventory.sweeper import SWEEP_EVERY_S, Sweeper
from services.inventory.wire.replies import ERRORS

NAME = "inventory"
MIGRATIONS = Path(__file__).parent / "store" / "migrations"

_SERVICE = inventory_service_pb2.DESCRIPTOR.services_by_name["InventoryService"].full_name
_AGGREGATE_TYPES = MappingProxyType({"itm": "item", "rsv": "reservation"})


@asynccontextmanager
async def build(
    *,
    database_url: str,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    owner: str = NAME,
    readers: int = 2,
    sweep_every_s: float = SWEEP_EVERY_S,
    feeds: Feeds | None = None,
    spans: Spans | None = None,
) -> AsyncIterator[Service]:
    """Open and migrate the database; close it when the block ends. Raises DatabaseSettingsError.

    `owner` names the instance; `spans` are the process's, where it is traced. Without `feeds` it
    takes no part in choreographed checkouts.
    """
    database = await Database.open(
        database_url,
        clock=clock,
        owner=owner,
        readers=readers,
        spans=None if spans is None else spans.writes,
    )
    try:
        await database.migrate(MIGRATIONS)
        log = EventLog(clock=clock, ids=ids)
        reservations = Reservations(log=log, clock=clock)
        consumed = ConsumedFeeds()
        if feeds is not None:
            consumed = follow(
                feeds, reservations, database=database, clock=clock, ids=ids, rng=rng, owner=owner
            )
        yield _to_service(
            database,
            log,
            reservations,
            clock=clock,
            sweep_every_s=sweep_every_s,
            consumed=consumed,
        )
    finally:
        await database.close()


def _to_service(
    database: Database,
    log: EventLog,
    reservations: Reservations,
    *,
    clock: Clock,
    sweep_every_s: float,
    consumed: ConsumedFeeds,
) -> Service:
    """What stands on a migrated database."""
    items = Items(log=log, clock=clock)
    servicer = InventoryServicer(database=database, items=items, reservations=reservations)
    sweeper = Sweeper(
        database=database, reservations=reservations, clock=clock, every_s=sweep_every_s
    )
    tailer = Tailer(database=database, log=log, clock=clock)
    return Service(
        name=NAME,
        servicers=(partial(add_InventoryServiceServicer_to_server, servicer),),
        service_names=(_SERVICE,),
        errors=ERRORS,
        compensation_methods=frozenset({f"/{_SERVICE}/ReleaseReservation"}),
        feed=Feed(
            name=NAME,
            aggregate_types=_AGGREGATE_TYPES,
            database=database,
            log=log,
            tailer=tailer,
            clock=clock,
        ),
        consumed=consumed,
        background=(tailer.run, sweeper.run),
        on_drain=(tailer.stop_waiters,),
    )
