"""A payment, its captures and its refunds as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from services.chassis.domain.money import Money


class PaymentState(StrEnum):
    """The state of a payment. In the -ING states the outcome of a call is not known yet."""

    AUTHORIZING = "AUTHORIZING"
    AUTHORIZED = "AUTHORIZED"
    DECLINED = "DECLINED"
    CAPTURING = "CAPTURING"
    CAPTURED = "CAPTURED"
    VOIDING = "VOIDING"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


# Final states; an order whose payment is in one of them may have another payment.
DEAD = frozenset({PaymentState.DECLINED, PaymentState.VOIDED, PaymentState.EXPIRED})
UNDECIDED = frozenset({PaymentState.AUTHORIZING, PaymentState.CAPTURING, PaymentState.VOIDING})


class DeclineCode(StrEnum):
    """The reason why a processor declined."""

    UNSPECIFIED = "UNSPECIFIED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    EXPIRED_CARD = "EXPIRED_CARD"
    LOST_OR_STOLEN = "LOST_OR_STOLEN"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    DO_NOT_HONOR = "DO_NOT_HONOR"
    UNKNOWN_METHOD = "UNKNOWN_METHOD"


class RefusalReason(StrEnum):
    """Why money was not moved; stored, so that a late duplicate gets the same answer."""

    PAYMENT_DECLINED = "PAYMENT_DECLINED"
    AUTHORIZATION_FENCED = "AUTHORIZATION_FENCED"
    ORDER_DEADLINE_PASSED = "ORDER_DEADLINE_PASSED"
    AUTHORIZATION_EXPIRED = "AUTHORIZATION_EXPIRED"
    AUTHORIZATION_VOIDED = "AUTHORIZATION_VOIDED"
    NOT_AUTHORIZED = "NOT_AUTHORIZED"
    NOT_CAPTURED = "NOT_CAPTURED"
    REFUND_REFUSED = "REFUND_REFUSED"


class CaptureState(StrEnum):
    """The state of one attempt to capture."""

    PENDING = "PENDING"
    CAPTURED = "CAPTURED"
    NOT_CAPTURED = "NOT_CAPTURED"


class RefundState(StrEnum):
    """The state of one refund."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Origin(StrEnum):
    """What asked for a change: an RPC (ORCHESTRATED) or an event (CHOREOGRAPHED)."""

    ORCHESTRATED = "ORCHESTRATED"
    CHOREOGRAPHED = "CHOREOGRAPHED"


# The amount of a tombstone: the authorize that would name the amount never came.
NO_MONEY = Money("", 0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason with its facts by name."""

    reason: RefusalReason
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class CaptureAttempt:
    """One attempt to capture, identified by the request that asked for it."""

    request_id: str
    state: CaptureState
    refusal: Refusal | None = None
    origin: Origin = Origin.ORCHESTRATED


@dataclass(frozen=True, slots=True)
class RefundAttempt:
    """One refund, identified by its id and by the request that asked for it.

    `requester` says who asked ("person:alice", "service:order"). `reason` is kept until the outcome
    is recorded, whose event and ledger entries repeat it: so payments stay small.
    """

    refund_id: str
    request_id: str
    amount: Money
    state: RefundState
    create_time: datetime
    refusal: Refusal | None = None
    requester: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """The payment of one order; `version` counts its events from 1.

    `authorization_reference` is the processor's id of the authorization. `void_request_id` is the
    request of a void that was accepted; it is "" without one, and after a capture made it moot.
    `history` holds the earlier events of a choreographed checkout, to be passed on.
    """

    payment_id: str
    order_id: str
    customer_id: str
    state: PaymentState
    amount: Money
    payment_method: str
    expire_after: timedelta
    authorize_request_id: str
    create_time: datetime
    update_time: datetime
    version: int = 1
    origin: Origin = Origin.ORCHESTRATED
    history: bytes = b""
    authorization_reference: str = ""
    authorize_expire_time: datetime | None = None
    refusal: Refusal | None = None
    decline_code: DeclineCode | None = None
    void_request_id: str = ""
    captures: tuple[CaptureAttempt, ...] = ()
    refunds: tuple[RefundAttempt, ...] = ()

    @property
    def void_requested(self) -> bool:
        """Whether a void waits for the outcome of an authorize or a capture."""
        return bool(self.void_request_id) and self.state in {
            PaymentState.AUTHORIZING,
            PaymentState.CAPTURING,
        }

    @property
    def captured_minor(self) -> int:
        """The captured amount, nothing or all, in minor units."""
        return self.amount.minor_units if self.state is PaymentState.CAPTURED else 0

    @property
    def refunded_minor(self) -> int:
        """The refunded amount, in minor units."""
        return self._refunds_minor(RefundState.SUCCEEDED)

    @property
    def refund_pending_minor(self) -> int:
        """The amount of pending refunds, in minor units."""
        return self._refunds_minor(RefundState.PENDING)

    @property
    def refundable_minor(self) -> int:
        """The amount that can still be refunded, in minor units; pending refunds are deducted."""
        return self.captured_minor - self.refunded_minor - self.refund_pending_minor

    @property
    def is_pending(self) -> bool:
        """Whether the outcome of a call to the processor is unknown."""
        return self.state in UNDECIDED or self.pending_refund is not None

    @property
    def pending_capture(self) -> CaptureAttempt | None:
        """The capture whose outcome is unknown; there is at most one."""
        return next((each for each in self.captures if each.state is CaptureState.PENDING), None)

    @property
    def pending_refund(self) -> RefundAttempt | None:
        """The oldest refund whose outcome is unknown."""
        return next((each for each in self.refunds if each.state is RefundState.PENDING), None)

    def capture(self, request_id: str) -> CaptureAttempt | None:
        """The capture of one request; None if it was never made."""
        return next((each for each in self.captures if each.request_id == request_id), None)

    def refund(self, request_id: str) -> RefundAttempt | None:
        """The refund of one request; None if it was never made."""
        return next((each for each in self.refunds if each.request_id == request_id), None)

    def refund_by_id(self, refund_id: str) -> RefundAttempt | None:
        """The refund with this id; None if the payment has none."""
        return next((each for each in self.refunds if each.refund_id == refund_id), None)

    def _refunds_minor(self, state: RefundState) -> int:
        return sum(each.amount.minor_units for each in self.refunds if each.state is state)
