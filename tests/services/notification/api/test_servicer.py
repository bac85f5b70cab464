"""ListNotifications: filters, pages, and the reasons of refusals."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest
from tradepost.notification.v1 import notification_error_pb2, notification_pb2
from tradepost.notification.v1 import notification_service_pb2 as pb

from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.limits import WAIT_S
from tests.support.notification.notification_cluster import (
    NotificationCluster,
    NotificationInstance,
    notification_cluster,
)
from tests.support.notification.order_events import confirmed, fulfilled, new_order_id, placed
from tests.support.store.databases import Databases, tamper

Code = grpc.StatusCode


@pytest.fixture
async def cluster(databases: Databases) -> AsyncIterator[NotificationCluster]:
    """An order feed and a mail server, without an instance."""
    async with notification_cluster(databases) as opened:
        yield opened


@pytest.fixture
async def instance(cluster: NotificationCluster) -> AsyncIterator[NotificationInstance]:
    """An instance that serves one call at a time."""
    async with cluster.instance(max_concurrent=1) as opened:
        yield opened


async def test_notifications_are_filtered_by_order_customer_and_state(
    cluster: NotificationCluster, instance: NotificationInstance
) -> None:
    """Filters by order, customer and state work alone and together."""
    first, second = new_order_id(), new_order_id()
    await cluster.append(first, placed("ann"), confirmed(), fulfilled())
    await cluster.append(second, placed("bob"), confirmed())
    await instance.until_sent(3)

    assert [each.order_id for each in await instance.list(order_id=second)] == [second]
    assert [each.order_id for each in await instance.list(customer_id="ann")] == [first, first]
    assert list(await instance.list(customer_id="ann", order_id=second)) == []
    states = notification_pb2
    for state, number in (
        (states.NOTIFICATION_STATE_SENT, 3),
        (states.NOTIFICATION_STATE_PENDING, 0),
    ):
        request = pb.ListNotificationsRequest(states=[state])
        assert len((await instance.stub.ListNotifications(request)).notifications) == number


async def test_a_mail_that_waits_tells_why_and_until_when(
    cluster: NotificationCluster, instance: NotificationInstance
) -> None:
    """While the mail server puts a mail off, its last answer and the next attempt are told."""
    cluster.mail.answers_to_message.append("451 come again")
    await cluster.append(new_order_id(), placed("ann"), confirmed())
    (waiting,) = await instance.until(
        lambda found: any(each.pending_delivery.HasField("next_attempt_time") for each in found)
    )
    (sent,) = await instance.until_sent(1)

    delivery = waiting.pending_delivery
    assert waiting.state == notification_pb2.NOTIFICATION_STATE_PENDING
    assert delivery.attempt_count == 1
    assert "451 come again" in delivery.last_error
    assert delivery.next_attempt_time.ToDatetime() > waiting.create_time.ToDatetime()
    assert not sent.HasField("pending_delivery")


async def test_pages_hold_each_notification_once(
    cluster: NotificationCluster, instance: NotificationInstance
) -> None:
    """Pages list each notification once, oldest first, while new ones are written."""
    for number in range(5):
        await cluster.append(new_order_id(), placed(f"c{number}"), confirmed())
    await instance.until_sent(5)
    request = pb.ListNotificationsRequest(page_size=2)
    seen: list[str] = []
    while True:
        page = await instance.stub.ListNotifications(request)
        seen += [each.customer_id for each in page.notifications]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        if len(seen) == 2:
            await cluster.append(new_order_id(), placed("late"), confirmed())
            await instance.until_sent(6)

    assert seen == ["c0", "c1", "c2", "c3", "c4", "late"]


async def _invalid_request(_: NotificationCluster, instance: NotificationInstance) -> Refusal:
    request = pb.ListNotificationsRequest(order_id="ord_7")
    return await refusal(instance.stub.ListNotifications(request))


async def _malformed_message(_: NotificationCluster, instance: NotificationInstance) -> Refusal:
    path = "/tradepost.notification.v1.NotificationService/ListNotifications"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = instance.channel.unary_unary(path)
    return await refusal(method(b"\xff\xff"))


async def _internal(cluster: NotificationCluster, instance: NotificationInstance) -> Refusal:
    tamper(cluster.databases.url("notification"), "ALTER TABLE notification RENAME TO mislaid")
    return await refusal(instance.stub.ListNotifications(pb.ListNotificationsRequest()))


CASES: dict[
    str, tuple[Callable[[NotificationCluster, NotificationInstance], Awaitable[Refusal]], Code]
] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT),
    "INTERNAL": (_internal, Code.INTERNAL),
}
# The server refuses with these before it calls a servicer; the chassis' tests cover them.
BEFORE_THE_SERVICER = {"DEADLINE_PASSED", "DRAINING", "OVERLOADED", "STORE_UNAVAILABLE"}


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_says_why(
    cluster: NotificationCluster, instance: NotificationInstance, reason: str
) -> None:
    """A refusal carries one ErrorInfo with the service's domain and the contract's reason."""
    provoke, code = CASES[reason]
    refused = await provoke(cluster, instance)
    assert (refused.code, refused.reason) == (code, reason)
    assert (refused.domain, refused.infos) == ("notification.tradepost", 1)


def test_every_reason_of_the_contract_has_a_case() -> None:
    """Every reason of the contract has a case here or is refused before the servicer."""
    prefix = "NOTIFICATION_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in notification_error_pb2.NotificationErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER


async def test_every_bad_field_is_named_at_once(instance: NotificationInstance) -> None:
    """One refusal names every bad field of the request."""
    request = pb.ListNotificationsRequest(
        order_id="ord_7",
        customer_id="x" * 65,
        states=[0, 99],  # type: ignore[list-item]
        page_size=5,
    )
    refused = await refusal(instance.stub.ListNotifications(request))
    assert set(refused.bad_fields) == {"order_id", "customer_id", "states[0]", "states[1]"}
    for request, field in (
        (pb.ListNotificationsRequest(page_size=-1), "page_size"),
        (pb.ListNotificationsRequest(page_token="?"), "page_token"),
    ):
        refused = await refusal(instance.stub.ListNotifications(request))
        assert set(refused.bad_fields) == {field}
    async with asyncio.timeout(WAIT_S):
        assert list(await instance.list()) == []
