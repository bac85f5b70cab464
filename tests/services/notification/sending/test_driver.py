"""A notification is handed over until somebody took it, and everybody knows which one it is."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.work.lease import Claim, Leases, StaleLeaseError
from services.notification.domain.rules import Notice, Notification, State, Template
from services.notification.sending.consumer import LEASE_KIND
from services.notification.sending.driver import BACKOFF_FIRST_S, BACKOFF_MAX_S, NotificationDrive
from services.notification.sending.smtp import SmtpSender
from services.notification.service import MIGRATIONS
from services.notification.store import notifications
from tests.support.clock.manual_clock import ManualClock
from tests.support.notification.mail_server import MailServer, mail_server
from tests.support.store.databases import Databases, opened_database

NTF = "ntf_1"


@dataclass(frozen=True)
class Desk:
    """One pending notification, whoever has the right to drive it, and who takes the mail."""

    database: Database
    clock: ManualClock
    leases: Leases
    mail: MailServer
    drive: NotificationDrive
    claim: Claim

    async def notification(self) -> Notification:
        """How it stands."""
        return await self.database.read(notifications.load, NTF)


@pytest.fixture
async def desk(databases: Databases) -> AsyncIterator[Desk]:
    """A desk on a database of its own, with a real mail server; time moves when the test says."""
    clock = ManualClock()
    leases = Leases(owner="first", clock=clock, rng=random.Random(7))
    async with (
        opened_database(databases, MIGRATIONS, clock=clock) as database,
        mail_server() as mail,
    ):
        drive = NotificationDrive(
            database=database,
            leases=leases,
            sender=SmtpSender(host="127.0.0.1", port=mail.port, timeout_s=30.0),
            clock=clock,
            sender_address="orders@tradepost.localhost",
            send_timeout_s=30.0,
        )
        claim = await database.write(_pending, leases, clock)
        yield Desk(database, clock, leases, mail, drive, claim)


def _pending(
    connection: Connection, leases: Leases, clock: ManualClock, notification_id: str = NTF
) -> Claim:
    notification = Notification(
        notification_id=notification_id,
        order_id=notification_id.replace("ntf", "ord"),
        customer_id="ann",
        notice=Notice(Template.CONFIRMED, "Your order is confirmed", "thank you\n"),
        recipient="ann@customers.localhost",
        state=State.PENDING,
        create_time=clock.now(),
    )
    notifications.add(connection, notification)
    return leases.open(connection, notification_id, LEASE_KIND)


async def test_what_was_taken_is_done(desk: Desk) -> None:
    """State and time are noted with the end of the lease: nobody drives it again."""
    await desk.drive(desk.claim)

    sent = await desk.notification()
    assert (sent.state, sent.send_time) == (State.SENT, sent.create_time)
    assert await desk.database.read(desk.leases.get, NTF) is None
    assert len(desk.mail.inbox) == 1


async def test_a_delivery_that_nobody_noted_is_repeated_under_the_same_id(desk: Desk) -> None:
    """Who lost the lease can't note what it sent; its successor's mail is the same to the byte."""
    successor = await desk.database.write(desk.leases.open, NTF, LEASE_KIND)

    with pytest.raises(StaleLeaseError):
        await desk.drive(desk.claim)
    assert (await desk.notification()).state is State.PENDING
    await desk.drive(successor)

    assert (await desk.notification()).state is State.SENT
    first, second = desk.mail.inbox
    assert first.as_bytes() == second.as_bytes()
    assert str(first["Message-ID"]) == "<ntf_1@tradepost.localhost>"


async def test_who_lost_the_lease_takes_nobody_along(desk: Desk) -> None:
    """What is noted together is judged alone: the others' deliveries are done."""
    claims = [
        await desk.database.write(_pending, desk.leases, desk.clock, f"ntf_{n}") for n in "234"
    ]
    successor = await desk.database.write(desk.leases.open, "ntf_3", LEASE_KIND)
    answers = await asyncio.gather(*map(desk.drive, claims), return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), StaleLeaseError, type(None)]
    found = [await desk.database.read(notifications.load, f"ntf_{n}") for n in "234"]
    assert [each.state for each in found] == [State.SENT, State.PENDING, State.SENT]
    assert await desk.database.read(desk.leases.get, "ntf_2") is None
    row = await desk.database.read(desk.leases.get, "ntf_3")
    assert row is not None
    assert row.token == successor.token


async def test_the_pauses_between_attempts_grow(desk: Desk) -> None:
    """A mail server that is down is asked less and less often, but never given up."""
    desk.mail.to_message.extend(["451 later"] * 10)
    claim, pauses_s = desk.claim, []
    for _ in range(10):
        await desk.drive(claim)
        row = await desk.database.read(desk.leases.get, NTF)
        assert row is not None
        assert row.last_error == "SenderUnavailableError: 451 later"
        pauses_s.append((row.next_attempt_time - desk.clock.now()) / timedelta(seconds=1))
        await desk.clock.advance(pauses_s[-1] + 0.001)
        (claim,) = await desk.database.write(desk.leases.claim_due, LEASE_KIND, 10)
    await desk.drive(claim)

    assert (await desk.notification()).state is State.SENT
    assert pauses_s[0] <= BACKOFF_FIRST_S * 1.2
    assert BACKOFF_MAX_S * 0.8 <= pauses_s[-1] <= BACKOFF_MAX_S * 1.2
