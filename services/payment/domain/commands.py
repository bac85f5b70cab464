"""What can be told to a payment: what callers ask for, and what the processor answers.

The second half is evidence: the processor's final answer to a keyed call. There is no value for
"unknown", because unknown is not evidence.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.payment.domain.state import DeclineCode, Origin


@dataclass(frozen=True, slots=True)
class Authorize:
    """Set money aside; refused after `order_deadline_time`, never for that where it is None.

    `history` is what led here where an event asks, as a message of the contract, to be passed on.
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
    """Let the money go.

    By payment, or by the request that would have authorized it: then `payment_id` is the id of
    the tombstone, if there has to be one, and `order_id` the order it belongs to.
    """

    request_id: str
    payment_id: str
    reason: str = ""
    authorize_request_id: str = ""
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Give money back: `amount`, or what is not yet refunded where that is None."""

    request_id: str
    payment_id: str
    refund_id: str
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class Authorized:
    """The money is set aside until `expire_time`, under the processor's `reference`."""

    reference: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Declined:
    """The money was not set aside and never will be under this key."""

    code: DeclineCode


@dataclass(frozen=True, slots=True)
class Captured:
    """The money was taken."""


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """The money was not taken and never will be under this key; it is still set aside."""

    code: str


@dataclass(frozen=True, slots=True)
class Voided:
    """The money is not set aside, and no authorize with this key will set it aside."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The authorization ran out."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The money that the refund `key` asked for went back."""

    key: str


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """The money that the refund `key` asked for does not go back, for good."""

    key: str
    code: str


Evidence: TypeAlias = (
    Authorized | Declined | Captured | NotCaptured | Voided | Expired | Refunded | RefundRefused
)
Request: TypeAlias = Authorize | Capture | Void | Refund
Command: TypeAlias = Request | Evidence
