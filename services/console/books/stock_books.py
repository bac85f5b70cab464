"""The equations of stock: what orders say of their units, and what inventory's movements say."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from google.protobuf.message import Message
from tradepost.inventory.v1.item_pb2 import StockLevel, StockMovement, StockMovementKind
from tradepost.order.v1 import order_event_pb2

from services.console.books.balance import Balance

# The longest time for which inventory holds stock.
HOLD = timedelta(hours=1)


@dataclass(slots=True)
class _Moved:
    """The sums of an item's movements, and how many there were."""

    number: int = 0
    on_hand: int = 0
    held: int = 0
    committed: int = 0


class StockBooks:
    """Balances of units, by the order; a reservation shares its UUID.

    The units of an order are remembered until it ends or leaves the warehouse. `levels` says of
    each item whether its level is the sum of its movements, and not oversold.
    """

    def __init__(self) -> None:
        self.held = Balance("units held = no longer", "held", "ended", grace=HOLD)
        self.committed = _units("units committed = of paid orders to ship")
        self.shipped = _units("units shipped = of fulfilled orders")
        self.returned = _units("units that came back = of returns")
        self.levels: dict[str, bool] = {}
        self._moved: dict[str, _Moved] = {}
        # By order: before the pivot, and from it on.
        self._placed: dict[str, int] = {}
        self._paid: dict[str, int] = {}

    @property
    def balances(self) -> tuple[Balance, ...]:
        """All equations that compare two sides."""
        return (self.held, self.committed, self.shipped, self.returned)

    def order_event(self, key: str, payload: Message | None, now: datetime) -> None:
        """What happened to an order of these books, by its id."""
        match payload:
            case order_event_pb2.OrderPlaced():
                self._placed[key] = sum(line.quantity for line in payload.lines)
            case order_event_pb2.CaptureRequested():
                units = self._placed.pop(key, 0)
                self._paid[key] = units
                self.committed.add_right(key, units, now)
            case order_event_pb2.OrderFulfilled():
                self.shipped.add_right(key, self._no_longer_paid(key, now), now)
            case (
                order_event_pb2.OrderRefunded()
                | order_event_pb2.OrderCancelled()
                | order_event_pb2.OrderRejected()
            ):
                self._placed.pop(key, None)
                self._no_longer_paid(key, now)
            case order_event_pb2.ReturnStarted():
                self.returned.add_right(key, sum(line.quantity for line in payload.lines), now)

    def movement(self, movement: StockMovement, now: datetime) -> None:
        """A movement of a reservation of an order of these books."""
        key, kinds = order_of(movement.reservation_id), StockMovementKind
        if movement.held_delta > 0:
            self.held.add_left(f"{key} {movement.sku}", movement.held_delta, now)
        elif movement.held_delta < 0:
            self.held.add_right(f"{key} {movement.sku}", -movement.held_delta, now)
        self.committed.add_left(key, movement.committed_delta, now)
        if movement.kind == kinds.STOCK_MOVEMENT_KIND_FULFILLED:
            self.shipped.add_left(key, -movement.on_hand_delta, now)
        elif movement.kind == kinds.STOCK_MOVEMENT_KIND_RETURNED:
            self.returned.add_left(key, movement.on_hand_delta, now)

    def any_movement(self, movement: StockMovement) -> None:
        """A movement, of an order of these books or not: a level is the sum of all."""
        moved = self._moved.setdefault(movement.sku, _Moved())
        moved.number += 1
        moved.on_hand += movement.on_hand_delta
        moved.held += movement.held_delta
        moved.committed += movement.committed_delta

    def compare(self, levels: Iterable[StockLevel]) -> None:
        """Compare levels of items, each if the movements are exactly those that made it."""
        for level in levels:
            moved = self._moved.get(level.sku)
            if moved is None or moved.number != level.version:
                continue
            sums = (moved.on_hand, moved.held, moved.committed)
            is_sum = sums == (level.on_hand_count, level.held_count, level.committed_count)
            available = level.on_hand_count - level.held_count - level.committed_count
            is_sane = level.available_count == available and available >= 0
            self.levels[level.sku] = is_sum and is_sane

    def _no_longer_paid(self, key: str, now: datetime) -> int:
        """Take an order's units out of those to ship; return how many there were."""
        units = self._paid.pop(key, 0)
        self.committed.add_right(key, -units, now)
        return units


def order_of(reservation_id: str) -> str:
    """The id of the order for which stock is reserved."""
    return f"ord_{reservation_id.rpartition('_')[2]}"


def _units(name: str) -> Balance:
    return Balance(name, "inventory", "orders")
