"""Customers hear of each end of their orders once, whatever is delivered, dies or comes again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tradepost.event.v1 import event_service_pb2
from tradepost.notification.v1 import notification_pb2 as pb

from tests.support.notification.notification_service import WAIT_S, PostOffice, post_office
from tests.support.notification.order_events import (
    cancelled,
    cancelling,
    confirmed,
    declined,
    fulfilled,
    new_order_id,
    placed,
    priced,
    refunded,
    rejected,
    told,
)
from tests.support.store.databases import Databases

Sent = pb.NOTIFICATION_STATE_SENT


@pytest.fixture
async def office(databases: Databases) -> AsyncIterator[PostOffice]:
    """A world without an instance."""
    async with post_office(databases) as opened:
        yield opened


async def test_every_end_of_an_order_is_told(office: PostOffice) -> None:
    """Confirmed, rejected and why, cancelled, refunded, fulfilled: each to the right customer."""
    kept, refused, dropped, returned = (new_order_id() for _ in range(4))
    await office.tell(kept, placed("ann"), priced(), confirmed(), fulfilled())
    await office.tell(refused, placed("bob"), priced(), declined(), rejected())
    await office.tell(dropped, placed("cid"), cancelling("too slow"), cancelled())
    await office.tell(returned, placed("dan"), priced(), confirmed(), refunded())
    async with office.instance() as one:
        found = await one.sent(6)

    names = {
        (each.order_id, pb.NotificationTemplate.Name(each.template).rpartition("_")[2])
        for each in found
    }
    assert names == {
        (kept, "CONFIRMED"),
        (kept, "FULFILLED"),
        (refused, "REJECTED"),
        (dropped, "CANCELLED"),
        (returned, "CONFIRMED"),
        (returned, "REFUNDED"),
    }
    by_recipient = {str(mail["To"]): mail.get_content() for mail in office.mail.inbox}
    assert set(by_recipient) == {
        f"{name}@customers.localhost" for name in ("ann", "bob", "cid", "dan")
    }
    assert "declined: insufficient funds" in by_recipient["bob@customers.localhost"]
    assert "too slow" in by_recipient["cid@customers.localhost"]
    assert all(each.send_time.ToDatetime() >= each.create_time.ToDatetime() for each in found)
    ids = {str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in office.mail.inbox}
    assert ids == {each.notification_id for each in found}


async def test_a_rewind_tells_nobody_twice(office: PostOffice) -> None:
    """Every event is delivered again, and nothing is written or sent again."""
    for number in range(5):
        await office.tell(new_order_id(), placed(f"c{number}"), priced(), confirmed(), fulfilled())
    async with office.instance() as one:
        before = list(await one.sent(10))
    await office.source.execute("UPDATE event_counter SET epoch = 'restored'")
    last = await office.tell(new_order_id(), placed("last"), confirmed())
    async with office.instance("again") as one:
        await one.read_up_to(last)
        after = await one.sent(11)

    assert list(after)[:10] == before
    assert len(office.mail.inbox) == 11


async def test_instances_share_the_work(office: PostOffice) -> None:
    """Two instances on one database, one after the other replaced while events come: all once."""
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        await first.enter_async_context(office.instance("one"))
        two = await second.enter_async_context(office.instance("two"))
        for number in range(20):
            await office.tell(new_order_id(), placed(f"c{number}"), confirmed())
            if number == 10:
                await first.aclose()
        await two.sent(20)

    recipients = [str(mail["To"]) for mail in office.mail.inbox]
    assert len(recipients) == len(set(recipients)) == 20


async def test_a_server_that_is_away_delays_only(office: PostOffice) -> None:
    """What nobody takes stays PENDING and is sent again; what is refused for good is REFUSED."""
    office.mail.to_message.extend(["451 greylisted", "550 nobody here"])
    await office.tell(new_order_id(), placed("ann"), confirmed())
    async with office.instance() as one:
        (refused,) = await one.when(1, {pb.NOTIFICATION_STATE_REFUSED})
        await office.tell(new_order_id(), placed("bob"), confirmed())
        found = await one.when(2, {pb.NOTIFICATION_STATE_REFUSED, Sent})

    assert refused.error == "550 nobody here"
    assert not refused.HasField("send_time")
    assert [each.state for each in found] == [pb.NOTIFICATION_STATE_REFUSED, Sent]
    assert [str(mail["To"]) for mail in office.mail.inbox] == ["bob@customers.localhost"]


async def test_an_event_that_is_wrong_delays_nobody_else(office: PostOffice) -> None:
    """An end without a beginning is parked; an operator sees it, and the others are told."""
    lost = new_order_id()
    await office.tell(lost, confirmed())
    await office.tell(new_order_id(), placed("ann"), confirmed())
    async with office.instance() as one, asyncio.timeout(WAIT_S):
        await one.sent(1)
        listed = await one.letters.ListDeadLetters(event_service_pb2.ListDeadLettersRequest())

    (letter,) = listed.dead_letters
    assert (letter.consumer, letter.event.aggregate_id) == ("notification", lost)
    assert letter.error == f"UnknownOrderError: {lost} was never seen being placed"


async def test_what_is_of_no_interest_is_not_even_delivered(office: PostOffice) -> None:
    """Other events of orders, also of later contracts, pass by."""
    order_id = new_order_id()
    strange = told(pb.Notification(order_id=order_id))
    last = await office.tell(order_id, placed("ann"), strange, strange)
    async with office.instance() as one:
        await one.read_up_to(last)
        assert list(await one.listed()) == []
