"""Commands to a payment: requests of callers, and evidence from the processor.

Evidence is the processor's final answer to a call with a key. An unknown outcome is not evidence,
so there is no value for it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.payment.domain.state import DeclineCode, Origin


@dataclass(frozen=True, slots=True)
class Authorize:
    """Set money aside; refused after `order_deadline_time`, unless that is None.

    `history` is set where an event asks: the checkout's earlier events, as a message of the
    contract, to be passed on.
    """

    request_id: str
    payment_id: str
    order_id: str
    customer_id: str
    amount: Money
    payment_method: str
    expire_after: timedelta
    order_deadline_time: datetime | None = None
    origin: Origin = Origin.ORCHESTRATED
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class Capture:
    """Take the whole authorized amount."""

    request_id: str
    payment_id: str
    origin: Origin = Origin.ORCHESTRATED


@dataclass(frozen=True, slots=True)
class Void:
    """Release the authorized money.

    The payment is named by its id, or by the request that would have authorized it. In the second
    case `payment_id` is the id of a new tombstone, in case the payment does not exist, and
    `order_id` is its order.
    """

    request_id: str
    payment_id: str
    reason: str = ""
    authorize_request_id: str = ""
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Refund `amount`, or everything that is not refunded yet if it is None.

    `requester` says who asks: "person:alice", "service:order".
    """

    request_id: str
    payment_id: str
    refund_id: str
    amount: Money | None = None
    requester: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SettleRefund:
    """Record that a refund which the processor refused was paid outside of it."""

    request_id: str
    payment_id: str
    refund_id: str
    requester: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Authorized:
    """The money is set aside until `expire_time`, under the processor's id `reference`."""

    reference: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Declined:
    """The money was not set aside, and never will be under this key."""

    code: DeclineCode


@dataclass(frozen=True, slots=True)
class Captured:
    """The money was captured."""


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """The money was not captured, and never will be under this key; it is still set aside."""

    code: str


@dataclass(frozen=True, slots=True)
class Voided:
    """The money is not set aside, and no authorize with this key will set it aside."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The authorization expired."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The refund with this key succeeded."""

    key: str


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """The refund with this key was refused for good."""

    key: str
    code: str


Evidence: TypeAlias = (
    Authorized | Declined | Captured | NotCaptured | Voided | Expired | Refunded | RefundRefused
)
Request: TypeAlias = Authorize | Capture | Void | Refund | SettleRefund
Command: TypeAlias = Request | Evidence
