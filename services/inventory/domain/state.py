"""Items, stock levels and reservations as frozen values.

A stock level counts units three ways. `on_hand` are in the building; of those, `held` belong to a
reservation until it expires and `committed` to a paid order until they leave. The rest is
available. Only movements change a level, and a level is the sum of its movements.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.chassis.domain.money import Money

MAX_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is sold. `revision` counts its changes from 1."""

    sku: str
    name: str
    unit_price: Money
    revision: int
    update_time: datetime

    @property
    def etag(self) -> str:
        """Differs after every change, even after one that restores an earlier content."""
        content = (
            self.sku,
            self.revision,
            self.name,
            self.unit_price.currency_code,
            self.unit_price.minor_units,
            self.update_time.isoformat(),
        )
        return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class StockLevel:
    """Units of one item. `version` counts the movements from 1."""

    sku: str
    on_hand: int
    held: int
    committed: int
    version: int

    @property
    def available(self) -> int:
        """Units that can be reserved now."""
        return self.on_hand - self.held - self.committed


@dataclass(frozen=True, slots=True)
class StockedItem:
    """An item with its stock level.

    `stream_version` counts the events of the item's stream, which reservations do not write to.
    """

    item: Item
    level: StockLevel
    stream_version: int


class MovementKind(StrEnum):
    """The reason why stock moved."""

    INITIAL = "INITIAL"
    ADJUSTED = "ADJUSTED"
    HELD = "HELD"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    FULFILLED = "FULFILLED"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of one stock level; all three deltas apply together."""

    sku: str
    kind: MovementKind
    on_hand_delta: int = 0
    held_delta: int = 0
    committed_delta: int = 0
    reservation_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecordedMovement:
    """A movement as a line of the ledger; `sequence` counts the lines from 1.

    `actor` says who moved the stock ("person:alice", "service:order").
    """

    sequence: int
    movement: Movement
    occur_time: datetime
    actor: str = ""


class ReservationState(StrEnum):
    """The state of a reservation."""

    HELD = "HELD"
    COMMITTED = "COMMITTED"
    FULFILLED = "FULFILLED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


class Origin(StrEnum):
    """What asked for a change: an RPC (ORCHESTRATED) or an event (CHOREOGRAPHED)."""

    ORCHESTRATED = "ORCHESTRATED"
    CHOREOGRAPHED = "CHOREOGRAPHED"


class RefusalReason(StrEnum):
    """Why a reservation was refused, in the order in which the reasons are checked."""

    RESERVATION_FENCED = "RESERVATION_FENCED"
    ORDER_DEADLINE_PASSED = "ORDER_DEADLINE_PASSED"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    MIXED_CURRENCY = "MIXED_CURRENCY"
    TOTAL_OVERFLOW = "TOTAL_OVERFLOW"
    ZERO_TOTAL = "ZERO_TOTAL"
    PRICE_CHANGED = "PRICE_CHANGED"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    RESERVATION_EXPIRED = "RESERVATION_EXPIRED"


@dataclass(frozen=True, slots=True)
class Shortage:
    """An item with fewer available units than were requested."""

    sku: str
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal that is stored as the result, so that a late duplicate gets the same one."""

    reason: RefusalReason
    facts: Mapping[str, str] = field(default_factory=dict)
    shortages: tuple[Shortage, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """A quantity of one item. A basket names each item once, sorted by SKU."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one item with the name and price they had when they were reserved.

    `returned` of them came back after they had left the building.
    """

    sku: str
    quantity: int
    name: str
    unit_price: Money
    returned: int = 0

    @property
    def total_minor(self) -> int:
        """Quantity times unit price, in minor units."""
        return self.quantity * self.unit_price.minor_units


@dataclass(frozen=True, slots=True)
class CheckoutTerms:
    """What the payment service must know of a choreographed order; inventory passes it on.

    `step_ids` are the request ids of the checkout's steps, as a message of the contract.
    """

    customer_id: str
    payment_method: str
    order_deadline: datetime
    authorization_ttl: timedelta
    step_ids: bytes = b""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Stock set aside for one order. `version` counts its events from 1.

    A rejected reservation has a refusal and no lines; a committed one has no `expire_time`.
    """

    reservation_id: str
    order_id: str
    state: ReservationState
    lines: tuple[Line, ...]
    total: Money | None
    expire_time: datetime | None
    refusal: Refusal | None
    version: int
    create_time: datetime
    update_time: datetime

    @property
    def is_tombstone(self) -> bool:
        """Whether it was released before it was made."""
        return self.state is ReservationState.RELEASED and not self.lines

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is a hold whose expire time has come."""
        return (
            self.state is ReservationState.HELD
            and self.expire_time is not None
            and self.expire_time <= now
        )
