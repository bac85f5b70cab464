"""SagaAdminService: which unfinished orders operators see, and what they can do about them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from tradepost.event.v1.event_service_pb2 import ListAuditRecordsRequest
from tradepost.event.v1.event_service_pb2_grpc import AuditServiceStub
from tradepost.order.admin.v1 import saga_admin_service_pb2 as rpc
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as orders
from tradepost.order.v1.order_event_pb2 import StepRetried

from services.order.store.tables import MIGRATIONS
from tests.support.chassis.rich_status import refusal
from tests.support.order.order_service import (
    Instance,
    OrderService,
    cancel_of,
    create,
    new_request_id,
    order_of,
)
from tests.support.store.databases import Databases

CAPTURING = order_pb2.ORDER_STATE_CAPTURING


@pytest.fixture
async def admin_service(databases: Databases) -> OrderService:
    """An order service used by one test."""
    return OrderService(await databases.migrated(MIGRATIONS, "order"))


@pytest_asyncio.fixture
async def instance(admin_service: OrderService) -> AsyncIterator[Instance]:
    """The only instance of that service."""
    async with admin_service.instance() as instance:
        yield instance


async def hanging_order(
    instance: Instance, admin_service: OrderService, customer: str = "ann"
) -> str:
    """Place an order whose capture has no known outcome."""
    return (
        await admin_service.hang(instance.orders, "CapturePayment", order_of(customer))
    ).order_id


async def test_a_saga_names_the_step_it_waits_for(
    instance: Instance, admin_service: OrderService
) -> None:
    """A saga names its step, its tries without an outcome, the last error and its deadline."""
    order_id = await hanging_order(instance, admin_service)
    saga = (await instance.admin.GetSaga(rpc.GetSagaRequest(order_id=order_id))).saga
    assert (saga.state, saga.step, saga.attempt) == (CAPTURING, "capture", 1)
    assert saga.unknown_count >= 1
    assert saga.last_error == "capture: CAPTURE_STATE_PENDING"
    assert not saga.needs_review
    assert saga.fencing_token > 0
    lasts = saga.deadline_time.ToDatetime() - saga.create_time.ToDatetime()
    assert timedelta(seconds=29) < lasts < timedelta(seconds=31)


async def test_only_unfinished_orders_have_sagas(
    instance: Instance, admin_service: OrderService
) -> None:
    """A confirmed order has no saga, and neither has an order that was never placed."""
    order = await create(instance.orders)
    refused = await refusal(instance.admin.GetSaga(rpc.GetSagaRequest(order_id=order.order_id)))
    assert refused.reason == "SAGA_NOT_FOUND"
    assert not (await instance.admin.ListSagas(rpc.ListSagasRequest())).sagas


async def test_sagas_are_listed_oldest_first_by_state_age_and_review(
    instance: Instance, admin_service: OrderService
) -> None:
    """Sagas are listed page by page, the oldest first, filtered by state, age and review."""
    made = [await hanging_order(instance, admin_service, f"c{number}") for number in range(3)]

    async def ids(request: rpc.ListSagasRequest) -> list[str]:
        found: list[str] = []
        while True:
            page = await instance.admin.ListSagas(request)
            found += [saga.order_id for saga in page.sagas]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    assert await ids(rpc.ListSagasRequest(page_size=2)) == made
    assert await ids(rpc.ListSagasRequest(state=CAPTURING, needs_review=False)) == made
    assert await ids(rpc.ListSagasRequest(state=order_pb2.ORDER_STATE_RESERVING)) == []
    assert await ids(rpc.ListSagasRequest(needs_review=True)) == []
    assert await ids(rpc.ListSagasRequest(older_than=Duration(seconds=3_600))) == []
    assert await ids(rpc.ListSagasRequest(older_than=Duration())) == made


async def test_a_failed_refund_is_retried_under_a_new_attempt(
    instance: Instance, admin_service: OrderService
) -> None:
    """A failed refund needs review, RetrySaga retries it, and a replay has the same answer."""
    order = await create(instance.orders, method="pm_refund_refused")
    cancel = cancel_of(order.order_id)
    waiting = asyncio.ensure_future(instance.orders.CancelOrder(cancel))
    watch = orders.WatchOrderRequest(order_id=order.order_id, follow=True)
    async for version in instance.orders.WatchOrder(watch):
        if version.order.needs_review:
            break
    assert version.order.state == order_pb2.ORDER_STATE_REFUNDING
    page = await instance.admin.ListSagas(rpc.ListSagasRequest(needs_review=True))
    (saga,) = page.sagas
    assert (saga.step, saga.attempt, saga.review_reason) == ("refund", 1, "REFUND_REFUSED")

    request = rpc.RetrySagaRequest(
        request_id=new_request_id(), order_id=order.order_id, reason="the processor is back"
    )
    retried = await instance.admin.RetrySaga(request)
    assert (retried.saga.attempt, retried.saga.needs_review) == (2, False)
    refunded = (await waiting).order
    assert (refunded.state, refunded.needs_review) == (order_pb2.ORDER_STATE_REFUNDED, False)

    call = instance.admin.RetrySaga(request)
    assert await call == retried
    assert ("tradepost-replayed", "true") in tuple(await call.trailing_metadata())

    # Why it was retried is in the order's events, and the retry itself in the audit log, once.
    trail = await instance.orders.ListOrderEvents(
        orders.ListOrderEventsRequest(order_id=order.order_id)
    )
    (step_retried,) = [
        StepRetried.FromString(event.payload.value)
        for event in trail.events
        if event.type == StepRetried.DESCRIPTOR.full_name
    ]
    assert step_retried.reason == "the processor is back"
    audit = AuditServiceStub(instance.channel)
    (record,) = (await audit.ListAuditRecords(ListAuditRecordsRequest())).audit_records
    asked, answered = rpc.RetrySagaRequest(), rpc.RetrySagaResponse()
    assert record.request.Unpack(asked)
    assert record.response.Unpack(answered)
    assert (asked, answered, record.reason) == (request, retried, "the processor is back")
