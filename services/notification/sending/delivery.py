"""Delivers pending notifications until each is accepted or refused permanently.

The chassis' `Driver` decides when, and which instance; this module is one delivery. A process that
dies between a delivery and the record of it leaves the notification pending: it is delivered again
under the same Message-ID.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.database import Database
from services.chassis.telemetry.outage_log import OutageLog
from services.chassis.work.batching import Batcher
from services.chassis.work.driver import WAITING_MAX
from services.chassis.work.lease import Claim, Leases, StaleLeaseError
from services.notification.domain.state import Notification, NotificationState
from services.notification.sending.port import (
    Email,
    MessageRefusedError,
    Sender,
    SenderUnavailableError,
)
from services.notification.store import notifications

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0
POLL_S = 0.5
# Deliveries that run at the same time: a mail server limits its connections.
MAX_RUNNING = 16
# Less than half of a lease, so that no delivery outlasts its lease.
SEND_TIMEOUT_S = 4.0
# Outcomes that one transaction records at most.
RECORD_MAX = 64

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The state of a notification after its delivery; `error` says why it was refused."""

    claim: Claim
    state: NotificationState
    error: str = ""


class NotificationDelivery:
    """Delivers one notification once; `__call__` is the `drive` of the chassis' driver."""

    def __init__(
        self,
        *,
        database: Database,
        leases: Leases,
        sender: Sender,
        clock: Clock,
        sender_address: str,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        self._database = database
        self._leases = leases
        self._sender = sender
        self._clock = clock
        self._sender_address = sender_address
        self._domain = sender_address.rpartition("@")[2]
        self._send_timeout_s = send_timeout_s
        self._outage = OutageLog("sender", setting="TRADEPOST_NOTIFICATION_SENDER_URL")
        self._just_written: dict[tuple[str, int], Notification] = {}
        self._recording = Batcher(self._record_all, max_items=RECORD_MAX)

    def remember(self, claim: Claim, notification: Notification) -> None:
        """Keep a notification that was just written, so that its delivery need not load it."""
        if len(self._just_written) < WAITING_MAX:
            self._just_written[claim.subject, claim.token] = notification

    async def __call__(self, claim: Claim) -> None:
        """Send the email once, and record the outcome. Raises StaleLeaseError."""
        notification = self._just_written.pop((claim.subject, claim.token), None)
        if notification is None:
            notification = await self._database.read(
                notifications.load, claim.subject, snapshot=False
            )
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await self._sender.send(self._to_email(notification))
        except (SenderUnavailableError, TimeoutError) as error:
            self._outage.failed(error)
            await self._postpone(claim, error)
        except MessageRefusedError as error:
            self._outage.answered()
            _LOG.warning("message_refused", notification_id=claim.subject, error=str(error))
            outcome = DeliveryOutcome(claim, NotificationState.REFUSED, str(error))
            await self._recording.join(outcome)
        else:
            self._outage.answered()
            await self._recording.join(DeliveryOutcome(claim, NotificationState.SENT))

    async def _record_all(self, outcomes: Sequence[DeliveryOutcome]) -> list[Exception | None]:
        return await self._database.write(self._record_each, outcomes)

    def _record_each(
        self, connection: Connection, outcomes: Sequence[DeliveryOutcome]
    ) -> list[Exception | None]:
        return [self._record(connection, outcome) for outcome in outcomes]

    def _record(self, connection: Connection, outcome: DeliveryOutcome) -> Exception | None:
        """Record one outcome; return StaleLeaseError, and write nothing, where the lease is lost.

        It is returned, not raised, so that the other outcomes of the transaction are recorded.
        """
        try:
            self._leases.close(connection, outcome.claim)
        except StaleLeaseError as error:
            return error
        notifications.record_outcome(
            connection,
            outcome.claim.subject,
            outcome.state,
            now=self._clock.now(),
            error=outcome.error,
        )
        return None

    async def _postpone(self, claim: Claim, error: Exception) -> None:
        """Have it delivered again later, after a doubling delay; the lease adds the jitter."""
        delay_s = min(BACKOFF_FIRST_S * 2 ** min(claim.attempts, 30), BACKOFF_MAX_S)
        reason = f"{type(error).__name__}: {error}"

        def postpone(connection: Connection) -> None:
            self._leases.postpone(connection, claim, delay_s=delay_s, error=reason)

        await self._database.write(postpone)

    def _to_email(self, notification: Notification) -> Email:
        return Email(
            message_id=f"{notification.notification_id}@{self._domain}",
            sender=self._sender_address,
            recipient=notification.recipient,
            subject=notification.message.subject,
            body=notification.message.body,
            create_time=notification.create_time,
        )
