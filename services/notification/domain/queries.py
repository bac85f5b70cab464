"""What can be asked for, validated."""

from dataclasses import dataclass

from services.notification.domain.state import NotificationState


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """Selects at most `limit` notifications, the oldest first; an unset field matches all.

    `after` is the sort key (create time in microseconds, notification id) of the last row of the
    previous page.
    """

    limit: int
    order_id: str = ""
    customer_id: str = ""
    states: tuple[NotificationState, ...] = ()
    after: tuple[int, str] | None = None
