"""A mail about an order as its customer sees it."""

from dataclasses import dataclass
from datetime import datetime

from tradepost.notification.v1 import notification_pb2

from services.chassis.request.wire_values import from_timestamp


@dataclass(frozen=True, slots=True)
class MailView:
    """A mail; `sent` is None until the mail server accepts it."""

    subject: str
    body: str
    recipient: str
    is_refused: bool
    written: datetime
    sent: datetime | None


def mail_view(mail: notification_pb2.Notification) -> MailView:
    """Make the view."""
    return MailView(
        subject=mail.subject,
        body=mail.body,
        recipient=mail.recipient,
        is_refused=mail.state == notification_pb2.NOTIFICATION_STATE_REFUSED,
        written=from_timestamp(mail.create_time),
        sent=from_timestamp(mail.send_time) if mail.HasField("send_time") else None,
    )
