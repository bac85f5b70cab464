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
    RETURNING = 13
    RETURNED = 14


# Nothing happens to the order any more, unless the goods of a fulfilled one come back.
FINAL = frozenset(
    {
        OrderState.FULFILLED,
        OrderState.REJECTED,
        OrderState.CANCELLED,
        OrderState.REFUNDED,
        OrderState.RETURNED,
    }
)
# The goods are leaving or have left, even if they came back afterwards.
GONE = frozenset(
    {OrderState.FULFILLING, OrderState.FULFILLED, OrderState.RETURNING, OrderState.RETURNED}
)
# Nothing is left to do unless a caller asks for it.
SETTLED = FINAL | {OrderState.CONFIRMED}


@dataclass(frozen=True, slots=True)
class Review:
    """The step that an operator should look at, and why."""

    step: str
    reason: str


class ReturnState(IntEnum):
    """The state of a return; the numbers are those of the contract."""

    RETURNING = 1
    RETURNED = 2


@dataclass(frozen=True, slots=True)
class OrderReturn:
    """Goods of the order that come back; `refunded` and `complete_time` are set in RETURNED."""

    return_id: str
    lines: tuple[Line, ...]
    amount: Money
    reason: str
    create_time: datetime
    state: ReturnState = ReturnState.RETURNING
    refunded: Money | None = None
    complete_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order after all of its events; `Order(order_id)` is one that is not placed yet.

    `version` is the number of its events, `step_since` the instant at which its current step
    began. `asked` names the participants of which a cancellation has to undo something. `refunded`
    is the money that went back in all; `refund_ids` are the refunds of returns, and observed ones.
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
    returns: tuple[OrderReturn, ...] = ()
    refunded: Money | None = None
    refund_ids: frozenset[str] = frozenset()
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
    def pending_returns(self) -> tuple[OrderReturn, ...]:
        """The returns that are under way; the saga carries out the first of them."""
        return tuple(each for each in self.returns if each.state is ReturnState.RETURNING)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do unless a caller asks for it: CONFIRMED, or final."""
        return self.state in SETTLED

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to it any more, unless goods of a fulfilled order come back."""
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
