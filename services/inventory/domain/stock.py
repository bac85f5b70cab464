"""Items and how much of each there is: the rules as pure functions over frozen values.

A level counts units three ways. `on_hand` are in the building; of those, `held` belong to a
reservation until it expires and `committed` to a paid order until they leave; the rest is
available. Only `movements` change a level, and a level is the sum of its movements.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.inventory.domain.errors import (
    EtagMismatchError,
    ItemNotFoundError,
    StockOverflowError,
    StockWouldGoNegativeError,
)

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
        """Differs after every change, even after one that goes back to an earlier content."""
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
    """An item and how much of it there is.

    `stream_version` counts the events of the item's stream, which reservations do not write to.
    """

    item: Item
    level: StockLevel
    stream_version: int


class MovementKind(StrEnum):
    """What moved stock."""

    INITIAL = "INITIAL"
    ADJUSTED = "ADJUSTED"
    HELD = "HELD"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    FULFILLED = "FULFILLED"


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of one level; all three deltas apply together."""

    sku: str
    kind: MovementKind
    on_hand_delta: int = 0
    held_delta: int = 0
    committed_delta: int = 0
    reservation_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Upsert:
    """An item as it shall be. `etag` None means whatever it is now, "" that there is none yet."""

    sku: str
    name: str
    unit_price: Money
    etag: str | None
    initial_on_hand: int


@dataclass(frozen=True, slots=True)
class Adjust:
    """Units that were counted, received (above zero) or written off (below)."""

    sku: str
    delta: int
    reason: str


Command: TypeAlias = Upsert | Adjust


@dataclass(frozen=True, slots=True)
class ItemUpserted:
    """An item was made or changed; only a new one comes with units."""

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


Event: TypeAlias = ItemUpserted | StockAdjusted


def decide(command: Command, stocked: StockedItem | None) -> tuple[Event, ...]:
    """What `command` makes happen to the item as it stands; nothing where it is so already.

    Raises EtagMismatchError, ItemNotFoundError, StockWouldGoNegativeError, StockOverflowError.
    """
    match command:
        case Upsert():
            return _upsert(command, stocked)
        case Adjust(sku=sku, delta=delta, reason=reason):
            if stocked is None:
                raise ItemNotFoundError(sku)
            _refuse_bad_level(stocked.level, delta)
            return (StockAdjusted(sku, delta, reason),)


def evolve(stocked: StockedItem | None, event: Event, at: datetime) -> StockedItem:
    """The item after `event`, which was recorded `at` that instant."""
    match stocked, event:
        case None, ItemUpserted():
            return StockedItem(
                item=Item(event.sku, event.name, event.unit_price, 1, at),
                level=StockLevel(event.sku, event.initial_on_hand, 0, 0, 1),
                stream_version=1,
            )
        case StockedItem(item=item), ItemUpserted():
            changed = Item(event.sku, event.name, event.unit_price, item.revision + 1, at)
            return replace(stocked, item=changed, stream_version=stocked.stream_version + 1)
        case StockedItem(level=level), StockAdjusted():
            moved = replace(level, on_hand=level.on_hand + event.delta, version=level.version + 1)
            return replace(stocked, level=moved, stream_version=stocked.stream_version + 1)
    raise ItemNotFoundError(event.sku)


def movements(event: Event) -> tuple[Movement, ...]:
    """How `event` moves stock."""
    match event:
        case ItemUpserted(sku=sku, initial_on_hand=units) if units:
            return (Movement(sku, MovementKind.INITIAL, on_hand_delta=units),)
        case StockAdjusted(sku=sku, delta=delta, reason=reason):
            return (Movement(sku, MovementKind.ADJUSTED, on_hand_delta=delta, reason=reason),)
    return ()


def _upsert(command: Upsert, stocked: StockedItem | None) -> tuple[Event, ...]:
    actual = "" if stocked is None else stocked.item.etag
    if command.etag is not None and command.etag != actual:
        raise EtagMismatchError(command.sku, expected=command.etag, actual=actual)
    if stocked is None:
        return (
            ItemUpserted(command.sku, command.name, command.unit_price, command.initial_on_hand),
        )
    if (stocked.item.name, stocked.item.unit_price) == (command.name, command.unit_price):
        return ()
    return (ItemUpserted(command.sku, command.name, command.unit_price, 0),)


def _refuse_bad_level(level: StockLevel, delta: int) -> None:
    if level.available + delta < 0 and delta < 0:
        reserved = level.held + level.committed
        raise StockWouldGoNegativeError(
            level.sku, on_hand=level.on_hand, reserved=reserved, delta=delta
        )
    if level.on_hand + delta > MAX_INT64:
        raise StockOverflowError(level.sku, on_hand=level.on_hand, delta=delta)
