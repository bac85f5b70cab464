"""An order as it stands, and the words for where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from types import MappingProxyType

from services.chassis.domain.money import Money
from services.order.domain.events import Cause, Coordination, Line, Refusal, RefusalReason

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME = timedelta()

RESERVE = "reserve"
AUTHORIZE = "authorize"
COMMIT = "commit"
CAPTURE = "capture"
VOID = "void"
RELEASE = "release"
FULFILL = "fulfill"
REFUND = "refund"


class OrderState(IntEnum):
    """Where an order stands; the numbers are the contract's."""

    UNPLACED = 0
    RESERVING = 1
    AUTHORIZING = 2
    COMMITTING = 3
    CAPTURING = 4
    CONFIRMED = 5
    FULFILLING = 6
    FULFILLED = 7
    CANCELLING = 8
    REJECTED = 9
    CANCELLED = 10
    REFUNDING = 11
    REFUNDED = 12


FINAL = frozenset(
    {OrderState.FULFILLED, OrderState.REJECTED, OrderState.CANCELLED, OrderState.REFUNDED}
)
SETTLED = FINAL | {OrderState.CONFIRMED}
BEFORE_PIVOT = frozenset({OrderState.RESERVING, OrderState.AUTHORIZING, OrderState.COMMITTING})
FORWARD = BEFORE_PIVOT | {OrderState.CAPTURING}

# The steps that a state stands for.
STEPS: Mapping[OrderState, tuple[str, ...]] = MappingProxyType(
    {
        OrderState.RESERVING: (RESERVE,),
        OrderState.AUTHORIZING: (AUTHORIZE,),
        OrderState.COMMITTING: (COMMIT,),
        OrderState.CAPTURING: (CAPTURE,),
        OrderState.CANCELLING: (VOID, RELEASE),
        OrderState.FULFILLING: (FULFILL,),
        OrderState.REFUNDING: (RELEASE, REFUND),
    }
)


@dataclass(frozen=True, slots=True)
class Review:
    """A step that an operator should look at, and why."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its events made it; `Order(order_id)` is one that nobody placed yet.

    `version` counts its events, `step_since` is when its current step began.
    """

    order_id: str
    state: OrderState = OrderState.UNPLACED
    customer_id: str = ""
    lines: tuple[Line, ...] = ()
    total: Money | None = None
    payment_method: str = ""
    expected_total: Money | None = None
    coordination: Coordination = Coordination.ORCHESTRATED
    deadline: datetime = _EPOCH
    hold_ttl: timedelta = _NO_TIME
    authorization_ttl: timedelta = _NO_TIME
    payment_id: str = ""
    authorize_expire_time: datetime = _EPOCH
    pivot_passed: bool = False
    stock_asked: bool = False
    payment_asked: bool = False
    cause: Cause = Cause.NONE
    refusal: Refusal | None = None
    cancel_reason: str = ""
    cancel_requested: bool = False
    review: Review | None = None
    attempts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    step_since: datetime = _EPOCH
    version: int = 0
    create_time: datetime = _EPOCH
    update_time: datetime = _EPOCH

    @property
    def reservation_id(self) -> str:
        """The reservation reuses the UUID of the order."""
        return "rsv_" + self.order_id.removeprefix("ord_")

    @property
    def left_to_others_until(self) -> datetime | None:
        """Until when the participants take the forward steps by themselves; None: they don't."""
        return self.deadline if self.coordination is Coordination.CHOREOGRAPHED else None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do unless somebody asks: CONFIRMED, or final."""
        return self.state in SETTLED

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in FINAL

    @property
    def needs_review(self) -> bool:
        """Whether an operator should look; progress clears it, save for a step that failed."""
        return self.review is not None or (
            self.refusal is not None and self.refusal.reason is RefusalReason.STEP_FAILED
        )

    def attempt_of(self, step: str) -> int:
        """The current attempt of a step, from 1."""
        return self.attempts.get(step, 1)
