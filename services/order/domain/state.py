"""The current state of an order: the names of its states, and the value that its events make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from types import MappingProxyType

from services.chassis.domain.money import Money
from services.order.domain.events import Cause, Coordination, Line, Refusal, RefusalReason

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME = timedelta()


class OrderState(IntEnum):
    """The state of an order; the numbers are those of the contract."""

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


# Nothing can happen to the order any more.
FINAL = frozenset(
    {OrderState.FULFILLED, OrderState.REJECTED, OrderState.CANCELLED, OrderState.REFUNDED}
)
# Nothing is left to do unless a caller asks for it.
SETTLED = FINAL | {OrderState.CONFIRMED}


@dataclass(frozen=True, slots=True)
class Review:
    """The step that an operator should look at, and why."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order after all of its events; `Order(order_id)` is one that is not placed yet.

    `version` is the number of its events, `step_since` the instant at which its current step
    began. `asked` names the participants of which a cancellation has to undo something.
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
    asked: frozenset[str] = frozenset()
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
        """The id of its reservation: the UUID of the order under another prefix."""
        return "rsv_" + self.order_id.removeprefix("ord_")

    @property
    def choreographed_until(self) -> datetime | None:
        """The instant until which participants take the steps by themselves; None: they don't."""
        return self.deadline if self.coordination is Coordination.CHOREOGRAPHED else None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do unless a caller asks for it: CONFIRMED, or final."""
        return self.state in SETTLED

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in FINAL

    @property
    def needs_review(self) -> bool:
        """Whether an operator should look; progress clears this, except after a failed step."""
        return self.review is not None or (
            self.refusal is not None and self.refusal.reason is RefusalReason.STEP_FAILED
        )

    def attempt_of(self, step: str) -> int:
        """Return the current attempt of a step, from 1."""
        return self.attempts.get(step, 1)
