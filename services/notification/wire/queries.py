"""Validates requests to read, and converts them to queries of the store."""

from collections.abc import Sequence

from tradepost.notification.v1 import notification_pb2
from tradepost.notification.v1 import notification_service_pb2 as pb

from services.chassis.request.pages import (
    Page,
    arguments_of,
    check_page_size,
    check_page_token,
    page_of,
    refuse_page_token,
)
from services.chassis.request.validation import Check
from services.chassis.store.micros import to_micros
from services.notification.domain.state import Notification, NotificationState
from services.notification.store.notification_listing import NotificationFilter

MAX_CUSTOMER_CHARACTERS = 64
MAX_STATES = 10


def to_filter(request: pb.ListNotificationsRequest) -> NotificationFilter:
    """Convert a request. Raises InvalidRequestError."""
    check = Check()
    if request.order_id:
        check.identifier("order_id", request.order_id, "ord")
    check.text("customer_id", request.customer_id, max_len=MAX_CUSTOMER_CHARACTERS, required=False)
    check.that(
        len(request.states) <= MAX_STATES, "states", f"must have at most {MAX_STATES} entries"
    )
    states = notification_pb2.NotificationState
    for index, state in enumerate(request.states[:MAX_STATES]):
        check.enum(f"states[{index}]", state, states, required=True)
    limit, after = check_page_size(check, request.page_size), _after(check, request)
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
) -> Page[Notification]:
    """Cut the rows that a request's filter found to a page, with the token of the next page."""
    return page_of(request, rows, wanted.limit, _sort_key)


def _sort_key(notification: Notification) -> tuple[int, str]:
    return to_micros(notification.create_time), notification.notification_id


def _after(check: Check, request: pb.ListNotificationsRequest) -> tuple[int, str] | None:
    match check_page_token(check, request.page_token, arguments_of(request)):
        case None:
            return None
        case [int(create_micros), str(notification_id)]:
            return create_micros, notification_id
        case _:
            refuse_page_token(check)
            return None
