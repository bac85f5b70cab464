"""A notification is delivered until it is accepted, each time under the same Message-ID."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.work.lease import Claim, Leases, StaleLeaseError
from services.notification.domain.state import (
    CustomerMessage,
    Notification,
    NotificationState,
    Template,
)
from services.notification.sending.consumer import LEASE_KIND
from services.notification.sending.delivery import (
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    NotificationDelivery,
)
from services.notification.sending.smtp_sender import SmtpSender
from services.notification.store import notifications
from services.notification.store.tables import MIGRATIONS
from tests.support.clock.manual_clock import ManualClock
from tests.support.notification.mail_server import MailServer, mail_server
from tests.support.store.databases import Databases, opened_database

NTF = "ntf_1"


@dataclass(frozen=True)
class PendingNotification:
    """A pending notification, the claim to deliver it, and what its delivery needs."""

    database: Database
    clock: ManualClock
    leases: Leases
    mail: MailServer
    deliver: NotificationDelivery
    claim: Claim

    async def stored(self) -> Notification:
        """Load the notification as it is stored now."""
        return await self.database.read(notifications.load, NTF)


@pytest.fixture
async def pending(databases: Databases) -> AsyncIterator[PendingNotification]:
    """A pending notification in a new database, a real mail server, and a manual clock."""
    clock = ManualClock()
    leases = Leases(owner="first", clock=clock, rng=random.Random(7))
    async with (
        opened_database(databases, MIGRATIONS, clock=clock) as database,
        mail_server() as mail,
    ):
        deliver = NotificationDelivery(
            database=database,
            leases=leases,
            sender=SmtpSender(host="127.0.0.1", port=mail.port, timeout_s=30.0),
            clock=clock,
            sender_address="orders@tradepost.localhost",
            send_timeout_s=30.0,
        )
        claim = await database.write(_add, leases, clock)
        yield PendingNotification(database, clock, leases, mail, deliver, claim)


def _add(
    connection: Connection, leases: Leases, clock: ManualClock, notification_id: str = NTF
) -> Claim:
    """Insert a pending notification, and claim its delivery."""
    notification = Notification(
        notification_id=notification_id,
        order_id=notification_id.replace("ntf", "ord"),
        customer_id="ann",
        message=CustomerMessage(Template.CONFIRMED, "Your order is confirmed", "thank you\n"),
        recipient="ann@customers.localhost",
        state=NotificationState.PENDING,
        create_time=clock.now(),
    )
    notifications.add(connection, notification)
    return leases.open(connection, notification_id, LEASE_KIND)


async def test_an_accepted_email_is_sent(pending: PendingNotification) -> None:
    """An accepted email ends the lease and makes the notification SENT, at the time of sending."""
    await pending.deliver(pending.claim)

    sent = await pending.stored()
    assert (sent.state, sent.send_time) == (NotificationState.SENT, sent.create_time)
    assert await pending.database.read(pending.leases.get, NTF) is None
    assert len(pending.mail.inbox) == 1


async def test_an_unrecorded_delivery_is_repeated_under_the_same_id(
    pending: PendingNotification,
) -> None:
    """An instance that lost its lease records nothing; the next instance sends equal bytes."""
    successor = await pending.database.write(pending.leases.open, NTF, LEASE_KIND)

    with pytest.raises(StaleLeaseError):
        await pending.deliver(pending.claim)
    assert (await pending.stored()).state is NotificationState.PENDING
    await pending.deliver(successor)

    assert (await pending.stored()).state is NotificationState.SENT
    first, second = pending.mail.inbox
    assert first.as_bytes() == second.as_bytes()
    assert str(first["Message-ID"]) == "<ntf_1@tradepost.localhost>"


async def test_a_lost_lease_fails_only_its_own_delivery(pending: PendingNotification) -> None:
    """Of outcomes that are recorded together, only the one with a lost lease fails."""
    claims = [
        await pending.database.write(_add, pending.leases, pending.clock, f"ntf_{n}") for n in "234"
    ]
    successor = await pending.database.write(pending.leases.open, "ntf_3", LEASE_KIND)
    answers = await asyncio.gather(*map(pending.deliver, claims), return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), StaleLeaseError, type(None)]
    found = [await pending.database.read(notifications.load, f"ntf_{n}") for n in "234"]
    assert [each.state for each in found] == [
        NotificationState.SENT,
        NotificationState.PENDING,
        NotificationState.SENT,
    ]
    assert await pending.database.read(pending.leases.get, "ntf_2") is None
    row = await pending.database.read(pending.leases.get, "ntf_3")
    assert row is not None
    assert row.token == successor.token


async def test_the_delays_between_attempts_grow(pending: PendingNotification) -> None:
    """The delay before the next attempt doubles up to a maximum, and attempts never end."""
    pending.mail.answers_to_message.extend(["451 later"] * 10)
    claim, delays_s = pending.claim, []
    for _ in range(10):
        await pending.deliver(claim)
        row = await pending.database.read(pending.leases.get, NTF)
        assert row is not None
        assert row.last_error == "SenderUnavailableError: 451 later"
        delays_s.append((row.next_attempt_time - pending.clock.now()) / timedelta(seconds=1))
        await pending.clock.advance(delays_s[-1] + 0.001)
        (claim,) = await pending.database.write(pending.leases.claim_due, LEASE_KIND, 10)
    await pending.deliver(claim)

    assert (await pending.stored()).state is NotificationState.SENT
    assert delays_s[0] <= BACKOFF_FIRST_S * 1.2
    assert BACKOFF_MAX_S * 0.8 <= delays_s[-1] <= BACKOFF_MAX_S * 1.2
