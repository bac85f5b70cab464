"""What a reservation is, what can be asked of it, and what can happen to it: values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.inventory.domain.pricing import Demand, Line, Refusal


class ReservationState(StrEnum):
    """Where a reservation stands."""

    HELD = "HELD"
    COMMITTED = "COMMITTED"
    FULFILLED = "FULFILLED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


class Origin(StrEnum):
    """Who asked: an RPC, or an event."""

    ORCHESTRATED = "ORCHESTRATED"
    CHOREOGRAPHED = "CHOREOGRAPHED"


@dataclass(frozen=True, slots=True)
class Payer:
    """What the payment service must know of the order; inventory only passes it on.

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

    A rejected one has a refusal and no lines; `expire_time` is unset once it is committed.
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
        """Released before it was made."""
        return self.state is ReservationState.RELEASED and not self.lines

    def has_run_out(self, now: datetime) -> bool:
        """Whether it is a hold whose time is over."""
        return (
            self.state is ReservationState.HELD
            and self.expire_time is not None
            and self.expire_time <= now
        )


@dataclass(frozen=True, slots=True)
class Reserve:
    """Price the demands and set their units aside for `ttl`; not after `order_deadline`.

    `payer` is told where an event asks, to be passed on.
    """

    reservation_id: str
    order_id: str
    demands: tuple[Demand, ...]
    expected_total: Money | None
    ttl: timedelta
    order_deadline: datetime | None
    origin: Origin = Origin.ORCHESTRATED
    payer: Payer | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Make a hold final.

    `history` is what led here where an event asks, as a message of the contract, to be passed on.
    """

    reservation_id: str
    origin: Origin = Origin.ORCHESTRATED
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class Release:
    """Give the units back, or make sure that they will never be taken."""

    reservation_id: str
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fulfill:
    """The units leave the building."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class Expire:
    """End a hold whose time is over."""

    reservation_id: str


Command: TypeAlias = Reserve | Commit | Release | Fulfill | Expire


@dataclass(frozen=True, slots=True)
class Held:
    """Units were set aside until `expire_time`."""

    reservation_id: str
    order_id: str
    lines: tuple[Line, ...]
    total: Money
    expire_time: datetime
    origin: Origin = Origin.ORCHESTRATED
    payer: Payer | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Units could not be set aside."""

    reservation_id: str
    order_id: str
    refusal: Refusal
    origin: Origin = Origin.ORCHESTRATED


@dataclass(frozen=True, slots=True)
class Committed:
    """A hold became final."""

    reservation_id: str
    order_id: str
    origin: Origin = Origin.ORCHESTRATED
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class Released:
    """Units were given back; a tombstone where there were none yet."""

    reservation_id: str
    order_id: str
    reason: str
    tombstone: bool


@dataclass(frozen=True, slots=True)
class Expired:
    """A hold ran out; its origin is that of the commit that found out, where one did."""

    reservation_id: str
    order_id: str
    origin: Origin | None = None
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """Units left the building."""

    reservation_id: str


Event: TypeAlias = Held | Rejected | Committed | Released | Expired | Fulfilled
