"""Waits until a suite is idle: sagas have ended, notifications are sent, summaries are current."""

from collections.abc import Awaitable, Callable
from functools import partial

from tradepost.event.v1.event_service_pb2 import GetFeedRequest
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceAsyncStub
from tradepost.notification.v1.notification_pb2 import NotificationState
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.notification.v1.notification_service_pb2_grpc import NotificationServiceAsyncStub
from tradepost.order.admin.v1.saga_admin_service_pb2 import ListSagasRequest
from tradepost.order.v1.order_service_pb2 import GetCustomerSummaryRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

from discovery.clock import Clock
from services.console.reading.stubs import Stubs

PAGE_SIZE = 1_000
POLL_S = 0.25
# The positions in an answer are the same for every customer, also for one without orders.
ANY_CUSTOMER = "anybody"


async def wait_until_idle(stubs: Stubs, *, clock: Clock, timeout_s: float) -> bool:
    """Wait for all sagas, then for notifications and summaries; False when the time is up.

    Sagas that an operator must review don't count as under way.
    """
    give_up_s = clock.monotonic() + timeout_s
    for condition in (_sagas_have_ended, _all_notifications_are_sent, _summaries_are_current):
        if not await wait_until(partial(condition, stubs), clock=clock, give_up_s=give_up_s):
            return False
    return True


async def wait_until(
    condition: Callable[[], Awaitable[bool]], *, clock: Clock, give_up_s: float
) -> bool:
    """Poll until the condition holds; False when it still doesn't at the instant `give_up_s`."""
    while not await condition():
        if clock.monotonic() > give_up_s:
            return False
        await clock.sleep(POLL_S)
    return True


async def summary_is_current(
    orders: OrderServiceAsyncStub,
    order_feed: EventFeedServiceAsyncStub,
    payment_feed: EventFeedServiceAsyncStub,
) -> bool:
    """Whether the customer summary has applied both of its feeds up to their heads."""
    order_head = (await order_feed.GetFeed(GetFeedRequest())).head_position
    payment_head = (await payment_feed.GetFeed(GetFeedRequest())).head_position
    request = GetCustomerSummaryRequest(customer_id=ANY_CUSTOMER)
    summary = await orders.GetCustomerSummary(request)
    return summary.position >= order_head and summary.payment_position >= payment_head


async def notifications_are_sent(
    notifications: NotificationServiceAsyncStub, order_feed: EventFeedServiceAsyncStub
) -> bool:
    """Whether every order event has its notification, and none of them is pending."""
    head = (await order_feed.GetFeed(GetFeedRequest())).head_position
    pending = await notifications.ListNotifications(
        ListNotificationsRequest(states=[NotificationState.NOTIFICATION_STATE_PENDING], page_size=1)
    )
    return pending.order_position >= head and not pending.notifications


async def _sagas_have_ended(stubs: Stubs) -> bool:
    token = ""
    while True:
        request = ListSagasRequest(page_size=PAGE_SIZE, page_token=token)
        page = await stubs.sagas.ListSagas(request)
        if not all(saga.needs_review for saga in page.sagas):
            return False
        token = page.next_page_token
        if not token:
            return True


async def _all_notifications_are_sent(stubs: Stubs) -> bool:
    return await notifications_are_sent(stubs.notifications, stubs.feeds["order"])


async def _summaries_are_current(stubs: Stubs) -> bool:
    return await summary_is_current(stubs.orders, stubs.feeds["order"], stubs.feeds["payment"])
