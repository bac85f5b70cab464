"""No answer of a service that consumes a feed exceeds 2 MiB, either."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.any_pb2 import Any as AnyMessage
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2 import (
    ListAuditRecordsRequest,
    ListDeadLettersRequest,
    ListSubscriptionsRequest,
)
from tradepost.event.v1.event_service_pb2_grpc import AuditServiceStub, SubscriptionServiceStub
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest

from services.chassis.consumer.dead_letter_table import DEAD_LETTER
from services.chassis.log.audit_log import AUDIT_RECORD
from services.chassis.request.answer_size import ANSWER_BYTES_MAX
from services.notification.domain.state import NotificationState
from services.notification.store.tables import NOTIFICATION
from tests.support.notification.notification_cluster import notification_cluster
from tests.support.store.databases import Databases, writing

ROWS = 600
LETTERS = 12
SERVICES = (
    "tradepost.notification.v1.NotificationService",
    "tradepost.event.v1.DeadLetterService",
    "tradepost.event.v1.SubscriptionService",
    "tradepost.event.v1.AuditService",
)


async def test_consumers_answer_within_the_limit(databases: Databases) -> None:
    """Notifications, dead letters and subscriptions are listed below 2 MiB, without a gap."""
    async with notification_cluster(databases) as cluster, cluster.instance() as instance:
        fill(databases.url("notification"))
        lists: dict[str, tuple[Any, Any]] = {
            "ListNotifications": (instance.stub, ListNotificationsRequest(page_size=1_000)),
            "ListDeadLetters": (instance.dead_letters, ListDeadLettersRequest(page_size=1_000)),
            "ListSubscriptions": (
                SubscriptionServiceStub(instance.channel),
                ListSubscriptionsRequest(),
            ),
            "ListAuditRecords": (
                AuditServiceStub(instance.channel),
                ListAuditRecordsRequest(page_size=1_000),
            ),
        }
        assert set(lists) == lists_of(*SERVICES)
        pages = {
            name: [page async for page in pages_of(getattr(stub, name), request)]
            for name, (stub, request) in lists.items()
        }
    for name, answers in pages.items():
        assert max(page.ByteSize() for page in answers) < ANSWER_BYTES_MAX, name
    assert sum(len(page.notifications) for page in pages["ListNotifications"]) == ROWS
    assert sum(len(page.dead_letters) for page in pages["ListDeadLetters"]) == LETTERS
    assert sum(len(page.audit_records) for page in pages["ListAuditRecords"]) == LETTERS


def lists_of(*services: str) -> set[str]:
    """The methods of some services whose answers have lists, from the descriptors."""
    pool = descriptor_pool.Default()
    return {
        method.name
        for service in services
        for method in pool.FindServiceByName(service).methods
        if any(field.is_repeated for field in method.output_type.fields)
    }


async def pages_of(call: Callable[[Any], Awaitable[Any]], request: Any) -> AsyncIterator[Any]:
    """Read all pages of a list."""
    while True:
        page = await call(request)
        yield page
        if not getattr(page, "next_page_token", ""):
            return
        request.page_token = page.next_page_token


def fill(url: str) -> None:
    """Write long notifications, dead letters of large events, and records of their discards."""
    notices = [
        {
            "notification_id": f"ntf_{number:032x}",
            "order_id": f"ord_{number:032x}",
            "template": 1,
            "customer_id": "c" * 64,
            "recipient": "r" * 100,
            "subject": "s" * 100,
            "body": "b" * 5_000,
            "state": int(NotificationState.SENT),
            "error": "",
            "create_time": number,
            "send_time": number,
        }
        for number in range(ROWS)
    ]
    payload = AnyMessage(type_url="type.googleapis.com/tradepost.x", value=b"x" * 460_000)
    letters = [
        {
            "sequence": number,
            "dead_letter_id": f"dlt_{number:032x}",
            "consumer": "test",
            "epoch": "epo_1",
            "position": number,
            "aggregate_id": f"ord_{number:032x}",
            "event": Event(position=number, payload=payload).SerializeToString(),
            "error": "e" * 200,
            "attempt_count": 1,
            "park_time": number,
            "discard_time": None,
            "discard_reason": "",
            "discard_actor": "",
        }
        for number in range(1, LETTERS + 1)
    ]
    with writing(url) as connection:
        connection.execute(AUDIT_RECORD.insert(), records_of(payload))
        connection.execute(NOTIFICATION.insert(), notices)
        connection.execute(DEAD_LETTER.insert(), letters)


def records_of(response: AnyMessage) -> list[dict[str, object]]:
    """Audit records of as many discards, each with a large answer."""
    return [
        {
            "sequence": number,
            "occur_time": number,
            "actor": "person:olga",
            "method": "tradepost.event.v1.DeadLetterService.DiscardDeadLetter",
            "reason": "r" * 500,
            "request": b"",
            "response": response.SerializeToString(),
            "correlation_id": "c" * 128,
        }
        for number in range(1, LETTERS + 1)
    ]
