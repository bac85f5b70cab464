"""What the service stores: the details of an order that messages mention, and notifications."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from services.chassis.domain.money import Money


class Template(IntEnum):
    """The subject of a notification; the numbers are those of the contract."""

    CONFIRMED = 1
    REJECTED = 2
    CANCELLED = 3
    REFUNDED = 4
    FULFILLED = 5
    RETURNED = 6


class NotificationState(IntEnum):
    """The state of a notification; the numbers are those of the contract."""

    PENDING = 1
    SENT = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class OrderDetails:
    """What is known of an order so far.

    `customer_id` is empty until the order was placed, `total` is None until it is confirmed.
    `cancellation_reason` is a sentence, and empty until its cancellation started.
    """

    order_id: str
    customer_id: str = ""
    total: Money | None = None
    cancellation_reason: str = ""


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """The text of a notification; `return_id` is the return it is about, for RETURNED."""

    template: Template
    subject: str
    body: str
    return_id: str = ""


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """How the delivery of a notification stands that is neither sent nor refused.

    `last_error` is empty before the first failure, and `next_attempt_time` None during an attempt.
    """

    attempt_count: int
    last_error: str
    next_attempt_time: datetime | None


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to one customer, and whether it was sent.

    `send_time` is set in state SENT; `error` says why in state REFUSED. `pending_delivery`
    is set in state PENDING, where it was asked for.
    """

    notification_id: str
    order_id: str
    customer_id: str
    message: CustomerMessage
    recipient: str
    state: NotificationState
    create_time: datetime
    send_time: datetime | None = None
    error: str = ""
    pending_delivery: PendingDelivery | None = None
