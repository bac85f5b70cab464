"""Converts notifications to messages of the contract."""

from typing import cast

from tradepost.notification.v1 import notification_pb2
from tradepost.notification.v1 import notification_service_pb2 as pb

from services.chassis.request.pages import Page
from services.notification.domain.state import Notification, PendingDelivery


def to_notification(notification: Notification) -> notification_pb2.Notification:
    """Convert one notification, with all its fields."""
    message = notification_pb2.Notification(
        notification_id=notification.notification_id,
        order_id=notification.order_id,
        customer_id=notification.customer_id,
        template=cast(
            notification_pb2.NotificationTemplate.ValueType, int(notification.message.template)
        ),
        state=cast(notification_pb2.NotificationState.ValueType, int(notification.state)),
        recipient=notification.recipient,
        subject=notification.message.subject,
        body=notification.message.body,
        error=notification.error,
        return_id=notification.message.return_id,
    )
    message.create_time.FromDatetime(notification.create_time)
    if notification.send_time is not None:
        message.send_time.FromDatetime(notification.send_time)
    if notification.pending_delivery is not None:
        message.pending_delivery.CopyFrom(_to_delivery(notification.pending_delivery))
    return message


def _to_delivery(delivery: PendingDelivery) -> notification_pb2.PendingDelivery:
    message = notification_pb2.PendingDelivery(
        attempt_count=delivery.attempt_count, last_error=delivery.last_error
    )
    if delivery.next_attempt_time is not None:
        message.next_attempt_time.FromDatetime(delivery.next_attempt_time)
    return message


def to_notification_page(
    page: Page[notification_pb2.Notification], order_position: int
) -> pb.ListNotificationsResponse:
    """Convert a page; `order_position` is the last position of the order feed that is applied."""
    return pb.ListNotificationsResponse(
        notifications=page.rows,
        next_page_token=page.next_page_token,
        order_position=order_position,
    )
