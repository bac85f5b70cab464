"""Builds the inventory service; used by `__main__` and by tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

from tradepost.inventory.v1 import inventory_event_pb2, inventory_service_pb2
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    add_InventoryServiceServicer_to_server,
)

from services.chassis.feed.feed import Feed
from services.chassis.feed.feed_contents import FeedContents, event_types
from services.chassis.opening import opened
from services.chassis.saga.model import CHOREOGRAPHY
from services.chassis.server.service_definition import Service
from services.chassis.store.silence import ANSWER_TIMEOUT_S
from services.inventory.api.servicer import InventoryServicer
from services.inventory.parts import NAME, Dependencies, Parts, assemble, retention_worker
from services.inventory.store.tables import MIGRATIONS
from services.inventory.subscriptions import subscribe_to_feeds
from services.inventory.wire.errors import ERRORS

_SERVICE = inventory_service_pb2.DESCRIPTOR.services_by_name["InventoryService"].full_name
_AGGREGATE_TYPES = MappingProxyType({"itm": "item", "rsv": "reservation"})
CONTENTS = FeedContents(
    NAME,
    types=event_types(inventory_event_pb2.DESCRIPTOR, parts=("CheckoutHistory", "ReturnedUnits")),
    topics=(CHOREOGRAPHY,),
)


@asynccontextmanager
async def build(
    *,
    database_url: str,
    dependencies: Dependencies,
    readers: int = 2,
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> AsyncIterator[Service]:
    """Open and migrate the database; close it when the block ends.

    It waits for a database that is not there yet. Raises SettingError.
    """
    recorders = dependencies.recorders
    async with opened(
        database_url,
        MIGRATIONS,
        clock=dependencies.clock,
        owner=dependencies.owner,
        readers=readers,
        timeout_s=timeout_s,
        spans=None if recorders is None else recorders.writes,
    ) as database:
        yield to_service(assemble(database, dependencies), dependencies)


def to_service(parts: Parts, dependencies: Dependencies) -> Service:
    """The service that a server runs, made of its parts."""
    servicer = InventoryServicer(
        database=parts.database, items=parts.items, reservations=parts.reservations
    )
    return Service(
        name=NAME,
        servicers=(partial(add_InventoryServiceServicer_to_server, servicer),),
        service_names=(_SERVICE,),
        errors=ERRORS,
        compensation_methods=frozenset({f"/{_SERVICE}/ReleaseReservation"}),
        database=parts.database,
        feed=Feed(
            contents=CONTENTS,
            aggregate_types=_AGGREGATE_TYPES,
            database=parts.database,
            tailer=parts.tailer,
            clock=dependencies.clock,
        ),
        consumed=subscribe_to_feeds(parts, dependencies),
        background=(parts.tailer.run, parts.owners.run, parts.expiry.run),
        on_drain=(parts.tailer.stop_waiters,),
        leases=parts.leases,
        retention=retention_worker(parts, dependencies),
    )
