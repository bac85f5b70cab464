"""Instances of the payment service without servers; several can share one database."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tradepost.payment.v1 import payment_service_pb2 as pb

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.request.intention import Intention
from services.payment.api.use_cases import PaymentAnswer
from services.payment.domain import commands
from services.payment.domain.state import Payment
from services.payment.parts import Dependencies, Parts, assemble
from services.payment.processor.driver import DriveTiming
from services.payment.processor.port import Processor
from services.payment.store.payment_writes import load
from services.payment.store.tables import MIGRATIONS
from services.payment.wire import requests
from tests.support.payment.payment_requests import Request
from tests.support.store.databases import Databases, opened_database

PATIENCE_S = 60.0
CLOCK = SystemClock()
IDS = IdFactory(clock=CLOCK, rng=random.Random(11))


@asynccontextmanager
async def opened_parts(databases: Databases, dependencies: Dependencies) -> AsyncIterator[Parts]:
    """The parts of an instance that doesn't run; the database is closed when the block ends."""
    async with opened_database(
        databases, MIGRATIONS, clock=dependencies.clock, owner=dependencies.owner, name="payment"
    ) as database:
        yield assemble(database, dependencies)


@asynccontextmanager
async def instance(
    databases: Databases,
    processor: Processor,
    *,
    name: str = "one",
    lease_s: float = 10.0,
    call_timeout_s: float = 10.0,
) -> AsyncIterator[Parts]:
    """A running instance. Leaving the block is a crash: its leases stay."""
    dependencies = Dependencies(
        clock=CLOCK,
        ids=IDS,
        rng=random.Random(name),
        processor=processor,
        owner=name,
        timing=DriveTiming(lease_s=lease_s, poll_s=0.02, call_timeout_s=call_timeout_s),
    )
    async with opened_parts(databases, dependencies) as parts:
        running = [asyncio.create_task(work()) for work in (parts.tailer.run, parts.driver.run)]
        try:
            yield parts
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def to_intention(request: Request) -> Intention[commands.Request]:
    """The validated request."""
    match request:
        case pb.AuthorizePaymentRequest():
            return requests.authorize_payment(request, IDS.new)
        case pb.CapturePaymentRequest():
            return requests.capture_payment(request)
        case pb.VoidPaymentRequest():
            return requests.void_payment(request, IDS.new)
        case pb.RefundPaymentRequest():
            return requests.refund_payment(request, IDS.new)


async def ask(parts: Parts, request: Request, *, within_s: float = PATIENCE_S) -> PaymentAnswer:
    """The answer of the RPC."""
    return await parts.payments.carry_out(to_intention(request), time_remaining_s=within_s)


async def until(parts: Parts, payment_id: str, is_so: Callable[[Payment], bool]) -> Payment:
    """Wait until the payment fulfils the condition; returns the payment."""
    with parts.tailer.follow(payment_id) as follower:
        payment = await parts.database.read(load, payment_id)
        async with asyncio.timeout(PATIENCE_S):
            while not is_so(payment):
                await follower.wait(after_version=payment.version)
                payment = await parts.database.read(load, payment_id)
        return payment
