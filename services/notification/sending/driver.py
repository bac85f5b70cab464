"""Sends what is pending, again and again until somebody takes it or refuses it for good.

The chassis's `Driver` says when and who; this says what one drive does. A process that dies
between the delivery and the note of it leaves a notification that is delivered again, under the
same Message-ID.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.database import Database
from services.chassis.work.batching import Batcher
from services.chassis.work.driver import WAITING_MAX
from services.chassis.work.lease import Claim, Leases, StaleLeaseError
from services.notification.domain.rules import Notification, State
from services.notification.sending.port import (
    MessageRefusedError,
    Outgoing,
    Sender,
    SenderUnavailableError,
)
from services.notification.store import notifications

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0
POLL_S = 0.5
# So many messages are on their way at once: a mail server has a limit of connections.
MAX_RUNNING = 16
# Below half of a lease, so that no delivery outlasts it.
SEND_TIMEOUT_S = 4.0
# So many outcomes are noted by one write.
NOTE_MAX = 64

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery; `error` says why it was refused."""

    claim: Claim
    state: State
    error: str = ""


class NotificationDrive:
    """One drive of one notification; `__call__` is what the chassis's driver wants."""

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
        self._begun: dict[tuple[str, int], Notification] = {}
        self._noting = Batcher(self._note_all, most=NOTE_MAX)

    def begin(self, claim: Claim, notification: Notification) -> None:
        """Spare the drive of a claim that was just written the reading of its notification."""
        if len(self._begun) < WAITING_MAX:
            self._begun[claim.subject, claim.token] = notification

    async def __call__(self, claim: Claim) -> None:
        """Send once, and note what became of it."""
        notification = self._begun.pop((claim.subject, claim.token), None)
        if notification is None:
            notification = await self._database.read(notifications.load, claim.subject)
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await self._sender.send(self._to_outgoing(notification))
        except (SenderUnavailableError, TimeoutError) as error:
            await self._postpone(claim, error)
        except MessageRefusedError as error:
            _LOG.warning("message_refused", notification_id=claim.subject, error=str(error))
            await self._noting.join(Outcome(claim, State.REFUSED, str(error)))
        else:
            await self._noting.join(Outcome(claim, State.SENT))

    async def _note_all(self, outcomes: Sequence[Outcome]) -> list[Exception | None]:
        return await self._database.write(self._note_each, outcomes)

    def _note_each(
        self, connection: Connection, outcomes: Sequence[Outcome]
    ) -> list[Exception | None]:
        return [self._note(connection, outcome) for outcome in outcomes]

    def _note(self, connection: Connection, outcome: Outcome) -> Exception | None:
        """Note one outcome; of who lost the lease, nothing is written and the error is answered."""
        try:
            self._leases.close(connection, outcome.claim)
        except StaleLeaseError as error:
            return error
        notifications.settle(
            connection,
            outcome.claim.subject,
            outcome.state,
            now=self._clock.now(),
            error=outcome.error,
        )
        return None

    async def _postpone(self, claim: Claim, error: Exception) -> None:
        """Try again later; the lease adds the jitter, the cap bounds the silence."""
        delay_s = min(BACKOFF_FIRST_S * 2 ** min(claim.attempts, 30), BACKOFF_MAX_S)
        reason = f"{type(error).__name__}: {error}"

        def postpone(connection: Connection) -> None:
            self._leases.postpone(connection, claim, delay_s=delay_s, error=reason)

        await self._database.write(postpone)

    def _to_outgoing(self, notification: Notification) -> Outgoing:
        return Outgoing(
            message_id=f"{notification.notification_id}@{self._domain}",
            sender=self._sender_address,
            recipient=notification.recipient,
            subject=notification.notice.subject,
            body=notification.notice.body,
            create_time=notification.create_time,
        )
