"""Builds the payment service; used by `__main__` and by tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

from tradepost.payment.v1 import payment_event_pb2, payment_service_pb2
from tradepost.payment.v1.payment_service_pb2_grpc import add_PaymentServiceServicer_to_server

from services.chassis.feed.feed import Feed
from services.chassis.feed.feed_contents import FeedContents, event_types
from services.chassis.opening import opened
from services.chassis.saga.model import CHOREOGRAPHY
from services.chassis.server.service_definition import Service
from services.chassis.store.silence import ANSWER_TIMEOUT_S
from services.payment.api.servicer import PaymentServicer
from services.payment.parts import NAME, Dependencies, Parts, assemble, retention_worker
from services.payment.store.tables import MIGRATIONS
from services.payment.subscriptions import subscribe_to_feeds
from services.payment.wire.errors import ERRORS

_SERVICE = payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"].full_name
_COMPENSATIONS = ("VoidPayment", "RefundPayment")
_AGGREGATE_TYPES = MappingProxyType({"pay": "payment"})
CONTENTS = FeedContents(
    NAME,
    types=event_types(payment_event_pb2.DESCRIPTOR),
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
    servicer = PaymentServicer(
        payments=parts.payments, database=parts.database, ids=dependencies.ids
    )
    testing = () if dependencies.testing is None else (dependencies.testing,)
    return Service(
        name=NAME,
        servicers=(
            partial(add_PaymentServiceServicer_to_server, servicer),
            *(each.add_to_server for each in testing),
        ),
        service_names=(_SERVICE, *(each.name for each in testing)),
        errors=ERRORS,
        compensation_methods=frozenset(f"/{_SERVICE}/{method}" for method in _COMPENSATIONS),
        database=parts.database,
        feed=Feed(
            contents=CONTENTS,
            aggregate_types=_AGGREGATE_TYPES,
            database=parts.database,
            tailer=parts.tailer,
            clock=dependencies.clock,
        ),
        consumed=subscribe_to_feeds(parts, dependencies),
        background=(parts.tailer.run, parts.owners.run, parts.driver.run),
        on_drain=(parts.tailer.stop_waiters, parts.driver.drain),
        leases=parts.leases,
        retention=retention_worker(parts, dependencies),
    )
