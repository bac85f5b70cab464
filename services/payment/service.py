"""Builds the whole service from its parts; `__main__` and the tests use this very function."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

import grpc
from tradepost.payment.testing.v1 import simulated_processor_service_pb2
from tradepost.payment.testing.v1.simulated_processor_service_pb2_grpc import (
    add_SimulatedProcessorServiceServicer_to_server,
)
from tradepost.payment.v1 import payment_service_pb2
from tradepost.payment.v1.payment_service_pb2_grpc import add_PaymentServiceServicer_to_server

from discovery.clock import Clock
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.feed.feed import Feed
from services.chassis.ids import IdFactory
from services.chassis.server.instrumentation import Spans
from services.chassis.server.service_definition import Service
from services.payment.api.servicer import PaymentServicer
from services.payment.parts import DEFAULT_TIMING, NAME, Parts, Timing, open_parts
from services.payment.processor.port import Processor
from services.payment.processor.simulated.adapter import SimulatedProcessor
from services.payment.processor.simulated.testing_servicer import SimulatedProcessorServicer
from services.payment.subscriptions import FeedChannels, follow
from services.payment.wire.replies import ERRORS

_SERVICE = payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"].full_name
_TESTING = simulated_processor_service_pb2.DESCRIPTOR.services_by_name[
    "SimulatedProcessorService"
].full_name
_WAITING = ("AuthorizePayment", "CapturePayment", "VoidPayment", "RefundPayment")
_COMPENSATIONS = ("VoidPayment", "RefundPayment")
_AGGREGATE_TYPES = MappingProxyType({"pay": "payment"})


@asynccontextmanager
async def build(
    *,
    database_url: str,
    processor: Processor,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    owner: str = NAME,
    readers: int = 2,
    timing: Timing = DEFAULT_TIMING,
    testing: SimulatedProcessor | None = None,
    feeds: FeedChannels | None = None,
    spans: Spans | None = None,
) -> AsyncIterator[Service]:
    """Open and migrate the database; close it when the block ends. Raises DatabaseSettingsError.

    `owner` names the instance. `testing` is the processor whose book is served, where it is;
    `spans` are the process's, where it is traced. Without `feeds` it takes no part in choreographed
    checkouts.
    """
    async with open_parts(
        database_url=database_url,
        processor=processor,
        clock=clock,
        ids=ids,
        rng=rng,
        owner=owner,
        readers=readers,
        timing=timing,
        spans=spans,
    ) as parts:
        consumed = ConsumedFeeds()
        if feeds is not None:
            consumed = follow(feeds, parts, clock=clock, ids=ids, rng=rng, owner=owner)
        yield _to_service(parts, clock=clock, ids=ids, testing=testing, consumed=consumed)


def _to_service(
    parts: Parts,
    *,
    clock: Clock,
    ids: IdFactory,
    testing: SimulatedProcessor | None,
    consumed: ConsumedFeeds,
) -> Service:
    servicer = PaymentServicer(payments=parts.payments, database=parts.database, ids=ids)
    return Service(
        name=NAME,
        servicers=(
            partial(add_PaymentServiceServicer_to_server, servicer),
            *_testing_servicers(testing),
        ),
        service_names=(_SERVICE,) if testing is None else (_SERVICE, _TESTING),
        errors=ERRORS,
        waiting_methods=frozenset(f"/{_SERVICE}/{method}" for method in _WAITING),
        compensation_methods=frozenset(f"/{_SERVICE}/{method}" for method in _COMPENSATIONS),
        feed=Feed(
            name=NAME,
            aggregate_types=_AGGREGATE_TYPES,
            database=parts.database,
            log=parts.log,
            tailer=parts.tailer,
            clock=clock,
        ),
        consumed=consumed,
        background=(parts.tailer.run, parts.driver.run),
        on_drain=(parts.tailer.stop_waiters, parts.driver.drain),
    )


def _testing_servicers(
    testing: SimulatedProcessor | None,
) -> tuple[Callable[[grpc.aio.Server], None], ...]:
    if testing is None:
        return ()
    servicer = SimulatedProcessorServicer(testing)
    return (partial(add_SimulatedProcessorServiceServicer_to_server, servicer),)
