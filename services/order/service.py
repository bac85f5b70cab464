"""Builds the service from its parts; `__main__` and the tests call `build`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from tradepost.order.admin.v1 import saga_admin_service_pb2
from tradepost.order.admin.v1.saga_admin_service_pb2_grpc import (
    add_SagaAdminServiceServicer_to_server,
)
from tradepost.order.v1 import order_event_pb2, order_service_pb2
from tradepost.order.v1.order_service_pb2_grpc import add_OrderServiceServicer_to_server

from discovery.clock import Clock
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.feed.feed import Feed
from services.chassis.feed.feed_contents import FeedContents, event_types
from services.chassis.opening import opened
from services.chassis.saga.model import CHOREOGRAPHY
from services.chassis.server.service_definition import Service
from services.chassis.store.silence import ANSWER_TIMEOUT_S
from services.order.api.admin_servicer import SagaAdminServicer
from services.order.api.servicer import OrderServicer
from services.order.parts import NAME, Dependencies, Parts, assemble, retention_worker
from services.order.store.order_counts import SAMPLED
from services.order.store.tables import MIGRATIONS
from services.order.subscriptions import FeedSubscriptions, subscribe_to_feeds
from services.order.wire.errors import ERRORS
from services.order.wire.replies import AGGREGATE_TYPES
from services.order.wire.requests import ORCHESTRATED_ONLY

_ORDERS = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
_ADMIN = saga_admin_service_pb2.DESCRIPTOR.services_by_name["SagaAdminService"].full_name
_COMPENSATIONS = ("CancelOrder",)
CONTENTS = FeedContents(
    NAME,
    types=event_types(order_event_pb2.DESCRIPTOR, parts=("PlacedLine", "CheckoutStepIds")),
    topics=(CHOREOGRAPHY,),
)


def to_service(parts: Parts, feeds: FeedSubscriptions | None, *, clock: Clock) -> Service:
    """Combine an instance with its RPCs."""
    orders = OrderServicer(
        database=parts.store.database,
        log=parts.store.log,
        streams=parts.store.streams,
        use_cases=parts.use_cases,
        waiter=parts.waiter,
        summaries=None if feeds is None else feeds.summaries,
        offered=ORCHESTRATED_ONLY if feeds is None else feeds.offered,
    )
    admin = SagaAdminServicer(
        database=parts.store.database,
        sagas=parts.store.sagas,
        use_cases=parts.use_cases,
        clock=clock,
    )
    return Service(
        name=NAME,
        servicers=(
            partial(add_OrderServiceServicer_to_server, orders),
            partial(add_SagaAdminServiceServicer_to_server, admin),
        ),
        service_names=(_ORDERS, _ADMIN),
        errors=ERRORS,
        compensation_methods=frozenset(f"/{_ORDERS}/{method}" for method in _COMPENSATIONS),
        database=parts.store.database,
        feed=Feed(
            contents=CONTENTS,
            aggregate_types=AGGREGATE_TYPES,
            database=parts.store.database,
            tailer=parts.store.tailer,
            clock=clock,
        ),
        consumed=ConsumedFeeds() if feeds is None else feeds.consumed,
        background=(parts.store.tailer.run, parts.store.owners.run, parts.driver.run),
        on_drain=(parts.store.tailer.stop_waiters, parts.driver.drain),
        leases=parts.store.leases,
        sampled=SAMPLED,
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
        parts = assemble(database, dependencies)
        feeds = subscribe_to_feeds(parts, dependencies)
        service = to_service(parts, feeds, clock=dependencies.clock)
        yield replace(service, retention=retention_worker(parts.store, dependencies))
