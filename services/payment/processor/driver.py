"""Finishes what is pending: asks the processor, writes what it answers, until nothing is left.

The chassis's `Driver` says when and who; this says what one drive does. An intent whose outcome
is unknown is asked again under the same key, with backoff, for ever.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.telemetry import correlation
from services.chassis.work.latest_states import LatestStates
from services.chassis.work.lease import Claim, Leases
from services.payment.domain.errors import UnexpectedEvidenceError
from services.payment.domain.processor_calls import next_call
from services.payment.domain.state import Payment
from services.payment.processor.port import (
    Processor,
    ProcessorContradictionError,
    ProcessorUnavailableError,
    ask,
)
from services.payment.store.payment_writes import PaymentWrites, load

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 10.0
POLL_S = 0.25
# Below half of a lease, so that no call outlasts it and nothing has to be renewed meanwhile.
CALL_TIMEOUT_S = 4.0

_LOG = structlog.get_logger(__name__)


class PaymentDrive:
    """One drive of one payment; `__call__` is what the chassis's driver wants."""

    def __init__(
        self,
        *,
        database: Database,
        store: PaymentWrites,
        leases: Leases,
        processor: Processor,
        notices: LatestStates[Payment],
        is_draining: Callable[[], bool],
        call_timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._database = database
        self._store = store
        self._leases = leases
        self._processor = processor
        self._notices = notices
        self._is_draining = is_draining
        self._call_timeout_s = call_timeout_s

    async def __call__(self, claim: Claim) -> None:
        """Drive until nothing is pending, the answer is unknown, or the process drains."""
        payment = await self._load(claim.subject)
        if not correlation.current().correlation_id:
            # Found by the loop: whose story it is, only the log knows.
            correlation.bind(await self._database.read(self._store.story, payment))
        while True:
            try:
                payment = await self._step(claim, payment)
            except (ProcessorUnavailableError, TimeoutError) as error:
                await self._postpone(claim, error, needs_review=False)
                return
            except (ProcessorContradictionError, UnexpectedEvidenceError) as error:
                _LOG.error("processor_contradicts", payment_id=claim.subject, error=str(error))
                await self._postpone(claim, error, needs_review=True)
                return
            if not payment.is_pending or self._is_draining():
                return
            # What is asked next has not failed yet, and neither does the lease count it so.
            claim = replace(claim, attempts=0)

    async def _step(self, claim: Claim, payment: Payment) -> Payment:
        """Ask one question and write the answer; where there is none to ask, look again."""
        intent = next_call(payment)
        if intent is None:
            return await self._database.write(self._store.finish, claim)
        async with asyncio.timeout(self._call_timeout_s):
            evidence = await ask(self._processor, intent)
        return await self._database.write(
            self._store.record, claim, payment, intent, evidence, then=self._tell
        )

    def _tell(self, payment: Payment) -> None:
        self._notices.record(payment.payment_id, payment)

    async def _load(self, payment_id: str) -> Payment:
        known = self._notices.newest(payment_id, version=1)
        if known is not None:
            return known
        return await self._database.read(load, payment_id)

    async def _postpone(self, claim: Claim, error: Exception, *, needs_review: bool) -> None:
        """Ask again later; the lease adds the jitter, the cap bounds the silence."""
        delay_s = min(BACKOFF_FIRST_S * 2 ** min(claim.attempts, 30), BACKOFF_MAX_S)
        reason = f"{type(error).__name__}: {error}"

        def postpone(connection: Connection) -> None:
            self._leases.postpone(
                connection, claim, delay_s=delay_s, error=reason, needs_review=needs_review
            )

        await self._database.write(postpone)
