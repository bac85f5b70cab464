"""Events of items and of reservations; they have the names of the contract's messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.inventory.domain.state import CheckoutTerms, Demand, Line, Origin, Refusal


@dataclass(frozen=True, slots=True)
class ItemUpserted:
    """An item was made or changed; only a new item has an initial quantity."""

    sku: str
    name: str
    unit_price: Money
    initial_on_hand: int


@dataclass(frozen=True, slots=True)
class StockAdjusted:
    """The units on hand changed by `delta`."""

    sku: str
    delta: int
    reason: str


ItemEvent: TypeAlias = ItemUpserted | StockAdjusted


@dataclass(frozen=True, slots=True)
class ReservationHeld:
    """Units were set aside until `expire_time`."""

    reservation_id: str
    order_id: str
    lines: tuple[Line, ...]
    total: Money
    expire_time: datetime
    origin: Origin = Origin.ORCHESTRATED
    terms: CheckoutTerms | None = None


@dataclass(frozen=True, slots=True)
class ReservationRejected:
    """Units could not be set aside."""

    reservation_id: str
    order_id: str
    refusal: Refusal
    origin: Origin = Origin.ORCHESTRATED


@dataclass(frozen=True, slots=True)
class ReservationCommitted:
    """A hold became final."""

    reservation_id: str
    order_id: str
    origin: Origin = Origin.ORCHESTRATED
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class ReservationReleased:
    """Units were given back; a tombstone where none had been held."""

    reservation_id: str
    order_id: str
    reason: str
    tombstone: bool


@dataclass(frozen=True, slots=True)
class ReservationExpired:
    """A hold reached its expire time. `origin` is that of the commit that found it, if one did."""

    reservation_id: str
    order_id: str
    origin: Origin | None = None
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class ReservationFulfilled:
    """Units left the building."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReservationReturned:
    """Units that had left the building came back."""

    reservation_id: str
    order_id: str
    units: tuple[Demand, ...]
    reason: str


ReservationEvent: TypeAlias = (
    ReservationHeld
    | ReservationRejected
    | ReservationCommitted
    | ReservationReleased
    | ReservationExpired
    | ReservationFulfilled
    | ReservationReturned
)
