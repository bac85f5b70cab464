"""A processor that is down for a minute is retried with backoff, and pays once afterwards."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest_asyncio
from sqlalchemy import Connection

from services.chassis.ids import IdFactory
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import LeaseRow
from services.payment.domain.processor_calls import AuthorizeCall, CaptureCall, VoidCall
from services.payment.domain.state import Payment, PaymentState
from services.payment.parts import Dependencies, Parts
from services.payment.processor.driver import PaymentDrive
from services.payment.store.payment_writes import LEASE_KIND, load
from tests.support.clock.manual_clock import ManualClock
from tests.support.payment import payment_requests
from tests.support.payment.payment_instances import opened_parts, to_intention
from tests.support.payment.payment_requests import Request
from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.store.databases import Databases

MINUTE_S = 60.0
# 0.1 s doubled up to 10 s, each give or take a fifth: so often it can be asked within a minute.
ASKED_MOST = 7 + 7
BACKOFF_MOST_S = 12.0


@dataclass(frozen=True)
class ManuallyDriven:
    """An instance whose pending work the test drives, under the test's clock."""

    parts: Parts
    processor: MemoryProcessor
    clock: ManualClock
    drive: PaymentDrive

    async def write(self, request: Request) -> str:
        """Write a request and leave its work to the next drive; returns the payment's id."""
        carry_out = partial(self.parts.store.carry_out, leased=False)
        outcome = await self.parts.database.write(carry_out, to_intention(request))
        return outcome.payment.payment_id

    async def work(self, *, until_s: float) -> None:
        """Drive due payments and advance the clock, up to that instant."""
        while self.clock.monotonic() <= until_s:
            database, leases = self.parts.database, self.parts.leases
            for claim in await database.write(leases.claim_due, LEASE_KIND, 10):
                await self.drive(claim)
            rows = await database.read(self._pending)
            if not rows:
                return
            due = min(row.next_attempt_time for row in rows) + timedelta(milliseconds=1)
            wait_s = max(0.001, (due - self.clock.now()).total_seconds())
            await self.clock.advance(min(wait_s, until_s + 0.001 - self.clock.monotonic()))

    async def payment(self, payment_id: str) -> Payment:
        return await self.parts.database.read(load, payment_id)

    def _pending(self, connection: Connection) -> tuple[LeaseRow, ...]:
        return self.parts.leases.list(connection, kind=LEASE_KIND, limit=10)


@pytest_asyncio.fixture
async def service(databases: Databases) -> AsyncIterator[ManuallyDriven]:
    """A payment service without payments."""
    clock, processor = ManualClock(), MemoryProcessor()
    rng = random.Random(3)
    ids = IdFactory(clock=clock, rng=rng)
    async with opened_parts(databases, Dependencies(clock, ids, rng, processor)) as parts:
        drive = PaymentDrive(
            database=parts.database,
            store=parts.store,
            leases=parts.leases,
            processor=processor,
            latest=LatestStates(),
            is_draining=lambda: False,
        )
        yield ManuallyDriven(parts, processor, clock, drive)


async def test_a_capture_outlasts_a_minute_without_the_processor(service: ManuallyDriven) -> None:
    """A capture stays CAPTURING while the processor is down, and captures once afterwards."""
    payment_id = await service.write(payment_requests.authorize())
    await service.work(until_s=0.0)
    await service.write(payment_requests.capture(payment_id))
    asked_before = len(service.processor.calls)

    service.processor.fail_next = 1_000
    await service.work(until_s=MINUTE_S)
    during = await service.payment(payment_id)
    asked = len(service.processor.calls) - asked_before
    service.processor.fail_next = 0
    await service.work(until_s=MINUTE_S + BACKOFF_MOST_S)

    assert during.state is PaymentState.CAPTURING
    assert 7 <= asked <= ASKED_MOST
    assert (await service.payment(payment_id)).state is PaymentState.CAPTURED
    assert service.processor.book.effects[CaptureCall] == 1


async def test_a_payment_voided_during_the_outage_is_voided_after_it(
    service: ManuallyDriven,
) -> None:
    """A payment that was voided during the outage is voided after it."""
    authorize = payment_requests.authorize()
    service.processor.lose_next = 1
    payment_id = await service.write(authorize)
    await service.work(until_s=0.0)
    service.processor.fail_next = 1_000
    await service.work(until_s=MINUTE_S / 2)
    await service.write(payment_requests.void(payment_id))
    await service.work(until_s=MINUTE_S)
    during = await service.payment(payment_id)
    service.processor.fail_next = 0
    await service.work(until_s=MINUTE_S + BACKOFF_MOST_S)

    assert during.state is PaymentState.AUTHORIZING
    assert (await service.payment(payment_id)).state is PaymentState.VOIDED
    assert service.processor.book.set_aside == 0
    assert service.processor.book.effects[AuthorizeCall] == 1
    assert service.processor.book.effects[VoidCall] == 1
