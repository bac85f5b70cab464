"""Builds the service from its parts; `__main__` and the tests call `build`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tradepost.notification.v1 import notification_service_pb2
from tradepost.notification.v1.notification_service_pb2_grpc import (
    add_NotificationServiceServicer_to_server,
)

from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.feed.feed import Feed
from services.chassis.feed.feed_contents import FeedContents
from services.chassis.opening import opened
from services.chassis.server.service_definition import Service
from services.chassis.store.silence import ANSWER_TIMEOUT_S
from services.notification.api.servicer import NotificationServicer
from services.notification.parts import NAME, Dependencies, Parts, assemble, retention_worker
from services.notification.store.tables import MIGRATIONS
from services.notification.wire.errors import ERRORS

_SERVICE = notification_service_pb2.DESCRIPTOR.services_by_name["NotificationService"].full_name
# The feed is served, but empty: this service appends no events yet.
CONTENTS = FeedContents(NAME)


def to_service(parts: Parts, dependencies: Dependencies) -> Service:
    """Combine an instance with its RPCs."""
    servicer = NotificationServicer(database=parts.database, inbox=parts.subscription.inbox)
    return Service(
        name=NAME,
        servicers=(partial(add_NotificationServiceServicer_to_server, servicer),),
        service_names=(_SERVICE,),
        errors=ERRORS,
        database=parts.database,
        feed=Feed(
            contents=CONTENTS,
            aggregate_types={},
            database=parts.database,
            tailer=parts.tailer,
            clock=dependencies.clock,
        ),
        consumed=ConsumedFeeds.of(
            (parts.subscription,),
            database=parts.database,
            clock=dependencies.clock,
            instance_id=dependencies.owner,
        ),
        background=(parts.tailer.run, parts.owners.run, parts.driver.run),
        on_drain=(parts.tailer.stop_waiters, parts.driver.drain),
        leases=parts.leases,
        retention=retention_worker(parts, dependencies),
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
