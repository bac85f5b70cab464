"""Finishes pending payments: calls the processor and writes its answers until nothing is pending.

The chassis' `Driver` decides which instance drives a payment and when; this module is one drive.
A call whose outcome is unknown is repeated under the same key, with backoff, without end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.telemetry import correlation
from services.chassis.telemetry.outage_log import OutageLog
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Claim, Leases
from services.chassis.work.lease_table import need_of
from services.payment.domain.errors import UnexpectedEvidenceError
from services.payment.domain.processor_calls import next_call
from services.payment.domain.state import Payment
from services.payment.processor.port import (
    Processor,
    ProcessorContradictionError,
    ProcessorUnavailableError,
    make_call,
)
from services.payment.store.payment_writes import PaymentWrites, load

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 10.0
POLL_S = 0.25
# Below half of a lease: no call outlasts the lease, so no lease is renewed during a call.
CALL_TIMEOUT_S = 4.0

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DriveTiming:
    """Seconds that a lease holds, between looks for pending work, and that a call may take.

    A call to the processor that takes longer has an unknown outcome. A call must end well within
    its lease, which is not renewed during the call.
    """

    lease_s: float = 10.0
    poll_s: float = POLL_S
    call_timeout_s: float = CALL_TIMEOUT_S


DEFAULT_TIMING = DriveTiming()


class PaymentDrive:
    """One drive of one payment, called by the chassis' driver."""

    def __init__(
        self,
        *,
        database: Database,
        store: PaymentWrites,
        leases: Leases,
        processor: Processor,
        latest: LatestStates[Payment],
        is_draining: Callable[[], bool],
        call_timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._database = database
        self._store = store
        self._leases = leases
        self._processor = processor
        self._latest = latest
        self._is_draining = is_draining
        self._call_timeout_s = call_timeout_s
        self._outage = OutageLog("processor", setting="TRADEPOST_PROCESSOR_URL")

    async def __call__(self, claim: Claim) -> None:
        """Drive until nothing is pending, an outcome is unknown, or the process drains."""
        payment = await self._load(claim.subject)
        if not correlation.current().correlation_id:
            # Found by polling: only the log knows the correlation of the payment.
            origin = await self._database.read(self._store.correlation, payment, snapshot=False)
            correlation.bind(origin)
        while True:
            try:
                payment = await self._step(claim, payment)
            except (ProcessorUnavailableError, TimeoutError) as error:
                self._outage.failed(error)
                await self._postpone(claim, error, needs_review=False)
                return
            except (ProcessorContradictionError, UnexpectedEvidenceError) as error:
                _LOG.error("processor_contradicts", payment_id=claim.subject, error=str(error))
                await self._postpone(claim, error, needs_review=True)
                return
            if not payment.is_pending or self._is_draining():
                return
            # The next call has not failed yet; the lease starts a new count of attempts, too.
            claim = replace(claim, attempts=0)

    async def _step(self, claim: Claim, payment: Payment) -> Payment:
        """Make the next call and write its answer; without a call to make, close the lease."""
        call = next_call(payment)
        needs = self._store.needs_of(claim.subject)
        if call is None:
            return await self._database.write(self._store.finish, claim, needs=needs)
        async with asyncio.timeout(self._call_timeout_s):
            evidence = await make_call(self._processor, call)
        self._outage.answered()
        return await self._database.write(
            self._store.record, claim, payment, call, evidence, needs=needs, then=self._publish
        )

    def _publish(self, payment: Payment) -> None:
        self._latest.record(payment.payment_id, payment)

    async def _load(self, payment_id: str) -> Payment:
        known = self._latest.newest(payment_id, version=1)
        if known is not None:
            return known
        return await self._database.read(load, payment_id, snapshot=False)

    async def _postpone(self, claim: Claim, error: Exception, *, needs_review: bool) -> None:
        """Release the payment until a later attempt; the lease adds jitter to the delay."""
        delay_s = min(BACKOFF_FIRST_S * 2 ** min(claim.attempts, 30), BACKOFF_MAX_S)
        reason = f"{type(error).__name__}: {error}"

        def postpone(connection: Connection) -> None:
            self._leases.postpone(
                connection, claim, delay_s=delay_s, error=reason, needs_review=needs_review
            )

        await self._database.write(postpone, needs=(need_of(claim.subject),))
