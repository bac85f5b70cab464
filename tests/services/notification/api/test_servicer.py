"""Notifications are listed by order, customer and state, page by page; bad requests say why."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest
from tradepost.notification.v1 import notification_error_pb2, notification_pb2
from tradepost.notification.v1 import notification_service_pb2 as pb

from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.notification.notification_service import Instance, PostOffice, post_office
from tests.support.notification.order_events import confirmed, fulfilled, new_order_id, placed
from tests.support.store.databases import Databases, tamper

Code = grpc.StatusCode


@pytest.fixture
async def office(databases: Databases) -> AsyncIterator[PostOffice]:
    """A world without an instance."""
    async with post_office(databases) as opened:
        yield opened


@pytest.fixture
async def one(office: PostOffice) -> AsyncIterator[Instance]:
    """An instance with one place for a call."""
    async with office.instance(max_concurrent=1) as opened:
        yield opened


async def test_notifications_are_found_by_what_they_are_about(
    office: PostOffice, one: Instance
) -> None:
    """Filters by order, customer and state, alone and together."""
    first, second = new_order_id(), new_order_id()
    await office.tell(first, placed("ann"), confirmed(), fulfilled())
    await office.tell(second, placed("bob"), confirmed())
    await one.sent(3)

    assert [each.order_id for each in await one.listed(order_id=second)] == [second]
    assert [each.order_id for each in await one.listed(customer_id="ann")] == [first, first]
    assert list(await one.listed(customer_id="ann", order_id=second)) == []
    states = notification_pb2
    for state, number in (
        (states.NOTIFICATION_STATE_SENT, 3),
        (states.NOTIFICATION_STATE_PENDING, 0),
    ):
        request = pb.ListNotificationsRequest(states=[state])
        assert len((await one.stub.ListNotifications(request)).notifications) == number


async def test_pages_hold_each_notification_once(office: PostOffice, one: Instance) -> None:
    """The oldest first, though others come while somebody turns the pages."""
    for number in range(5):
        await office.tell(new_order_id(), placed(f"c{number}"), confirmed())
    await one.sent(5)
    request = pb.ListNotificationsRequest(page_size=2)
    seen: list[str] = []
    while True:
        page = await one.stub.ListNotifications(request)
        seen += [each.customer_id for each in page.notifications]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        if len(seen) == 2:
            await office.tell(new_order_id(), placed("late"), confirmed())
            await one.sent(6)

    assert seen == ["c0", "c1", "c2", "c3", "c4", "late"]


async def _invalid_request(_: PostOffice, one: Instance) -> Refusal:
    return await refusal(one.stub.ListNotifications(pb.ListNotificationsRequest(order_id="ord_7")))


async def _malformed_message(_: PostOffice, one: Instance) -> Refusal:
    path = "/tradepost.notification.v1.NotificationService/ListNotifications"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = one.channel.unary_unary(path)
    return await refusal(method(b"\xff\xff"))


async def _internal(office: PostOffice, one: Instance) -> Refusal:
    tamper(office.databases.url("notification"), "ALTER TABLE notification RENAME TO mislaid")
    return await refusal(one.stub.ListNotifications(pb.ListNotificationsRequest()))


CASES: dict[str, tuple[Callable[[PostOffice, Instance], Awaitable[Refusal]], Code]] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT),
    "INTERNAL": (_internal, Code.INTERNAL),
}
# The server raises them before a servicer is asked; the tests of the chassis reach them.
BEFORE_THE_SERVICER = {"DEADLINE_PASSED", "DRAINING", "OVERLOADED", "STORE_UNAVAILABLE"}


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_says_why(office: PostOffice, one: Instance, reason: str) -> None:
    """One ErrorInfo with our domain, the contract's code and reason."""
    provoke, code = CASES[reason]
    refused = await provoke(office, one)
    assert (refused.code, refused.reason) == (code, reason)
    assert (refused.domain, refused.infos) == ("notification.tradepost", 1)


def test_every_reason_of_the_contract_has_a_case() -> None:
    """A new reason needs a way to reach it."""
    prefix = "NOTIFICATION_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in notification_error_pb2.NotificationErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER


async def test_every_bad_field_is_named_at_once(one: Instance) -> None:
    """One answer tells everything that is wrong."""
    request = pb.ListNotificationsRequest(
        order_id="ord_7",
        customer_id="x" * 65,
        states=[0, 99],  # type: ignore[list-item]
        page_size=5,
    )
    refused = await refusal(one.stub.ListNotifications(request))
    assert set(refused.bad_fields) == {"order_id", "customer_id", "states[0]", "states[1]"}
    for request, field in (
        (pb.ListNotificationsRequest(page_size=-1), "page_size"),
        (pb.ListNotificationsRequest(page_token="?"), "page_token"),
    ):
        refused = await refusal(one.stub.ListNotifications(request))
        assert set(refused.bad_fields) == {field}
    async with asyncio.timeout(30):
        assert list(await one.listed()) == []
