"""What callers want to read, checked; and the page they get back."""

from collections.abc import Sequence

from tradepost.notification.v1 import notification_pb2
from tradepost.notification.v1 import notification_service_pb2 as pb

from services.chassis.request.pages import (
    check_page_size,
    check_page_token,
    encode_token,
    refuse_page_token,
)
from services.chassis.request.validation import Check
from services.chassis.store.micros import to_micros
from services.notification.domain.rules import Notification, State
from services.notification.store.notifications import NotificationFilter
from services.notification.wire.replies import to_notification

MAX_CUSTOMER_CHARACTERS = 64
MAX_STATES = 10


def to_filter(request: pb.ListNotificationsRequest) -> NotificationFilter:
    """Raises InvalidRequestError."""
    check = Check()
    if request.order_id:
        check.identifier("order_id", request.order_id, "ord")
    check.text("customer_id", request.customer_id, max_len=MAX_CUSTOMER_CHARACTERS, required=False)
    check.that(len(request.states) <= MAX_STATES, "states", f"must be at most {MAX_STATES}")
    states = notification_pb2.NotificationState
    for index, state in enumerate(request.states[:MAX_STATES]):
        check.enum(f"states[{index}]", state, states, required=True)
    limit, after = check_page_size(check, request.page_size), _after(check, request)
    check.done()
    return NotificationFilter(
        limit=limit,
        order_id=request.order_id,
        customer_id=request.customer_id,
        states=tuple(State(state) for state in request.states),
        after=after,
    )


def to_page(
    request: pb.ListNotificationsRequest,
    wanted: NotificationFilter,
    found: Sequence[Notification],
    order_position: int,
) -> pb.ListNotificationsResponse:
    """The answer to a request whose filter found these: one too many, where others follow."""
    shown = found[: wanted.limit]
    response = pb.ListNotificationsResponse(
        notifications=[to_notification(each) for each in shown], order_position=order_position
    )
    if len(found) > len(shown):
        last = shown[-1]
        key = (to_micros(last.create_time), last.notification_id)
        response.next_page_token = encode_token(key, _arguments(request))
    return response


def _after(check: Check, request: pb.ListNotificationsRequest) -> tuple[int, str] | None:
    match check_page_token(check, request.page_token, _arguments(request)):
        case None:
            return None
        case [int(create_micros), str(notification_id)]:
            return create_micros, notification_id
        case _:
            refuse_page_token(check)
            return None


def _arguments(request: pb.ListNotificationsRequest) -> bytes:
    """What selects the rows, without size and token."""
    arguments = pb.ListNotificationsRequest()
    arguments.CopyFrom(request)
    arguments.ClearField("page_size")
    arguments.ClearField("page_token")
    return arguments.SerializeToString(deterministic=True)
