"""The consumer of the order feed: one notification for each end of an order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tradepost.notification.v1 import notification_pb2 as pb

from services.chassis.log.event_log import NewEvent
from tests.support.notification.notification_cluster import (
    NotificationCluster,
    notification_cluster,
)
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
    returned,
    to_new_event,
)
from tests.support.store.databases import Databases

SENT, REFUSED = pb.NOTIFICATION_STATE_SENT, pb.NOTIFICATION_STATE_REFUSED


@pytest.fixture
async def cluster(databases: Databases) -> AsyncIterator[NotificationCluster]:
    """An order feed and a mail server, without an instance."""
    async with notification_cluster(databases) as opened:
        yield opened


async def test_every_return_causes_an_email(cluster: NotificationCluster) -> None:
    """Each return of an order causes one email, even when its event is delivered again."""
    order_id = new_order_id()
    await cluster.append(order_id, placed("ann"), priced(), confirmed(), fulfilled())
    await cluster.append(order_id, returned("ret_1", 500), returned("ret_2", 750))
    await cluster.append(order_id, returned("ret_1", 500))
    async with cluster.instance() as instance:
        found = await instance.until_sent(4)

    about = pb.NOTIFICATION_TEMPLATE_ORDER_RETURNED
    mails = [each for each in found if each.template == about]
    assert [each.return_id for each in mails] == ["ret_1", "ret_2"]
    assert ["USD 5.00" in mails[0].body, "USD 7.50" in mails[1].body] == [True, True]


async def test_every_end_of_an_order_causes_an_email(cluster: NotificationCluster) -> None:
    """Each end of an order causes one email to its customer, with the reason of a refusal."""
    kept, refused, dropped, returned = (new_order_id() for _ in range(4))
    await cluster.append(kept, placed("ann"), priced(), confirmed(), fulfilled())
    await cluster.append(refused, placed("bob"), priced(), declined(), rejected())
    await cluster.append(dropped, placed("cid"), cancelling("too slow"), cancelled())
    await cluster.append(returned, placed("dan"), priced(), confirmed(), refunded())
    async with cluster.instance() as instance:
        found = await instance.until_sent(6)

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
    by_recipient = {str(email["To"]): email.get_content() for email in cluster.mail.inbox}
    assert set(by_recipient) == {
        f"{name}@customers.localhost" for name in ("ann", "bob", "cid", "dan")
    }
    assert "declined: insufficient funds" in by_recipient["bob@customers.localhost"]
    assert "too slow" in by_recipient["cid@customers.localhost"]
    assert all(each.send_time.ToDatetime() >= each.create_time.ToDatetime() for each in found)
    ids = {str(email["Message-ID"]).strip("<>").partition("@")[0] for email in cluster.mail.inbox}
    assert ids == {each.notification_id for each in found}


async def test_events_that_are_delivered_again_cause_no_email(
    cluster: NotificationCluster,
) -> None:
    """After a rewind, events that were already applied write and send nothing."""
    for number in range(5):
        await cluster.append(
            new_order_id(), placed(f"c{number}"), priced(), confirmed(), fulfilled()
        )
    async with cluster.instance() as instance:
        before = list(await instance.until_sent(10))
    await cluster.order_feed.execute("UPDATE event_counter SET epoch = 'restored'")
    last = await cluster.append(new_order_id(), placed("last"), confirmed())
    async with cluster.instance("again") as instance:
        await instance.until_applied(last)
        after = await instance.until_sent(11)

    assert list(after)[:10] == before
    assert len(cluster.mail.inbox) == 11


async def test_instances_share_the_work(cluster: NotificationCluster) -> None:
    """Two instances on one database send each email once, also when one of them stops."""
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        await first.enter_async_context(cluster.instance("one"))
        two = await second.enter_async_context(cluster.instance("two"))
        for number in range(20):
            await cluster.append(new_order_id(), placed(f"c{number}"), confirmed())
            if number == 10:
                await first.aclose()
        await two.until_sent(20)

    recipients = [str(email["To"]) for email in cluster.mail.inbox]
    assert len(recipients) == len(set(recipients)) == 20


async def test_an_email_is_sent_again_until_it_is_accepted_or_refused(
    cluster: NotificationCluster,
) -> None:
    """A temporary answer (4xx) delays an email, a permanent one (5xx) makes it REFUSED."""
    cluster.mail.answers_to_message.extend(["451 greylisted", "550 nobody here"])
    await cluster.append(new_order_id(), placed("ann"), confirmed())
    async with cluster.instance() as instance:
        (refused,) = await instance.until_in(1, {REFUSED})
        await cluster.append(new_order_id(), placed("bob"), confirmed())
        found = await instance.until_in(2, {REFUSED, SENT})

    assert refused.error == "550 nobody here"
    assert not refused.HasField("send_time")
    assert [each.state for each in found] == [REFUSED, SENT]
    assert [str(email["To"]) for email in cluster.mail.inbox] == ["bob@customers.localhost"]


async def test_events_of_other_types_are_skipped(cluster: NotificationCluster) -> None:
    """Events of types that the service does not subscribe to are not delivered to it."""
    order_id = new_order_id()
    unknown = to_new_event(pb.Notification(order_id=order_id))
    newer = NewEvent("tradepost.order.v9.Something", b"not a message")
    last = await cluster.append(order_id, placed("ann"), unknown, newer)
    async with cluster.instance() as instance:
        await instance.until_applied(last)
        assert list(await instance.list()) == []
