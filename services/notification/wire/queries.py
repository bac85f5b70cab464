"""Validates requests to read, and converts them to queries."""

from collections.abc import Sequence

from tradepost.notification.v1 import notification_pb2
from tradepost.notification.v1 import notification_service_pb2 as pb

from services.chassis.request.pages import (
    Page,
    arguments_of,
    check_page_size,
    check_time_and_id,
    page_of,
)
from services.chassis.request.validation import Check
from services.chassis.store.micros import to_micros
from services.notification.domain.queries import NotificationFilter
from services.notification.domain.state import Notification, NotificationState
from services.notification.wire.replies import to_notification

MAX_CUSTOMER_CHARACTERS = 64


def to_filter(request: pb.ListNotificationsRequest) -> NotificationFilter:
    """Convert a request. Raises InvalidRequestError."""
    check = Check()
    if request.order_id:
        check.identifier("order_id", request.order_id, "ord")
    check.text("customer_id", request.customer_id, max_len=MAX_CUSTOMER_CHARACTERS, required=False)
    check.enum_filter("states", request.states, notification_pb2.NotificationState)
    limit = check_page_size(check, request.page_size)
    after = check_time_and_id(check, request.page_token, arguments_of(request))
    check.done()
    return NotificationFilter(
        limit=limit,
        order_id=request.order_id,
        customer_id=request.customer_id,
        states=tuple(NotificationState(state) for state in request.states),
        after=after,
    )


def to_page(
    request: pb.ListNotificationsRequest,
    wanted: NotificationFilter,
    rows: Sequence[Notification],
) -> Page[notification_pb2.Notification]:
    """Cut the rows that a request's filter found to a page, with the token of the next page."""
    return page_of(request, rows, wanted.limit, key_of=_sort_key, to_message=to_notification)


def _sort_key(notification: Notification) -> tuple[int, str]:
    return to_micros(notification.create_time), notification.notification_id
