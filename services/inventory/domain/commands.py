"""Commands to items and to reservations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.inventory.domain.state import CheckoutTerms, Demand, Origin


@dataclass(frozen=True, slots=True)
class UpsertItem:
    """Make an item, or change its name and price.

    `etag` is the etag that the item must have; "" means that there must be no item yet, None that
    any state is accepted.
    """

    sku: str
    name: str
    unit_price: Money
    etag: str | None
    initial_on_hand: int


@dataclass(frozen=True, slots=True)
class AdjustStock:
    """Change the units on hand: received units are positive, written-off units negative."""

    sku: str
    delta: int
    reason: str


ItemCommand: TypeAlias = UpsertItem | AdjustStock


@dataclass(frozen=True, slots=True)
class Reserve:
    """Price the demands and hold their units for `ttl`; refused after `order_deadline`.

    `terms` are set where an event asks; they are passed on to the payment service.
    """

    reservation_id: str
    order_id: str
    demands: tuple[Demand, ...]
    expected_total: Money | None
    ttl: timedelta
    order_deadline: datetime | None
    origin: Origin = Origin.ORCHESTRATED
    terms: CheckoutTerms | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Make a hold final.

    `history` is set where an event asks: the checkout's earlier facts, as a message of the
    contract, to be passed on.
    """

    reservation_id: str
    origin: Origin = Origin.ORCHESTRATED
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class Release:
    """Give the units back. Where there is no reservation, refuse a reserve that comes later.

    `by_order` says that the order itself asks, which alone may give committed units back.
    """

    reservation_id: str
    order_id: str
    reason: str
    by_order: bool = False


@dataclass(frozen=True, slots=True)
class Fulfill:
    """Take committed units out of the building."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class Return:
    """Take units back that had left the building."""

    reservation_id: str
    units: tuple[Demand, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Expire:
    """End a hold whose expire time has come."""

    reservation_id: str


ReservationCommand: TypeAlias = Reserve | Commit | Release | Fulfill | Return | Expire
