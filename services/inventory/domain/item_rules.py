"""Rules of an item and its stock level.

`decide` turns a command into events, `evolve` applies an event to the item, and `movements` says
how an event moves stock.
"""

from dataclasses import replace
from datetime import datetime

from services.inventory.domain.commands import AdjustStock, ItemCommand, UpsertItem
from services.inventory.domain.errors import (
    EtagMismatchError,
    ItemNotFoundError,
    StockOverflowError,
    StockWouldGoNegativeError,
)
from services.inventory.domain.events import ItemEvent, ItemUpserted, StockAdjusted
from services.inventory.domain.state import (
    MAX_INT64,
    Item,
    Movement,
    MovementKind,
    StockedItem,
    StockLevel,
)


def decide(command: ItemCommand, stocked: StockedItem | None) -> tuple[ItemEvent, ...]:
    """The events of `command`; none where the item is already as asked.

    Raises EtagMismatchError, ItemNotFoundError, StockWouldGoNegativeError, StockOverflowError.
    """
    match command:
        case UpsertItem():
            return _upsert(command, stocked)
        case AdjustStock(sku=sku, delta=delta, reason=reason):
            if stocked is None:
                raise ItemNotFoundError(sku)
            _refuse_bad_level(stocked.level, delta)
            return (StockAdjusted(sku, delta, reason),)


def evolve(stocked: StockedItem | None, event: ItemEvent, at: datetime) -> StockedItem:
    """The item after `event`, which was recorded at the instant `at`."""
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


def movements(event: ItemEvent) -> tuple[Movement, ...]:
    """The movements of stock that `event` causes."""
    match event:
        case ItemUpserted(sku=sku, initial_on_hand=units) if units:
            return (Movement(sku, MovementKind.INITIAL, on_hand_delta=units),)
        case StockAdjusted(sku=sku, delta=delta, reason=reason):
            return (Movement(sku, MovementKind.ADJUSTED, on_hand_delta=delta, reason=reason),)
    return ()


def _upsert(command: UpsertItem, stocked: StockedItem | None) -> tuple[ItemEvent, ...]:
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
    refuse_overflow(level, delta)


def refuse_overflow(level: StockLevel, delta: int) -> None:
    """Raise StockOverflowError when the units on hand would not fit into 64 bits."""
    if level.on_hand + delta > MAX_INT64:
        raise StockOverflowError(level.sku, on_hand=level.on_hand, delta=delta)
