"""The equations of stock: what orders say of their units, and what inventory's movements say."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from google.protobuf.message import Message
from tradepost.inventory.v1.item_pb2 import StockLevel, StockMovement, StockMovementKind
from tradepost.order.v1 import order_event_pb2 as facts

from services.console.books.balance import Balance

# The longest time for which inventory holds stock.
HOLD = timedelta(hours=1)
_KINDS = StockMovementKind
_OUT = (_KINDS.STOCK_MOVEMENT_KIND_FULFILLED, _KINDS.STOCK_MOVEMENT_KIND_RETURNED)


@dataclass(slots=True)
class _Units:
    """The units of an order, and whether they are expected to be committed to it."""

    number: int
    is_committed: bool = False


@dataclass(slots=True)
class _Moved:
    """The sums of an item's movements, and how many there were."""

    number: int = 0
    on_hand: int = 0
    held: int = 0
    committed: int = 0


class StockBooks:
    """Balances of units, by the order; a reservation shares its UUID.

    The units of an order are remembered until it ends or leaves the warehouse, because the events
    that tell so don't have them. `levels` says of each item whether its level is the sum of its
    movements, and not oversold.
    """

    def __init__(self) -> None:
        self.held = Balance("units held = units whose hold ended", "held", "ended", grace=HOLD)
        self.committed = _balance("units committed = units of paid orders to ship")
        self.out = _balance("units out of the warehouse = units of fulfilled orders - returns")
        self.levels: dict[str, bool] = {}
        self._moved: dict[str, _Moved] = {}
        self._units: dict[str, _Units] = {}
        # The units of each order's returns under way, which come back one after the other.
        self._returns: dict[str, deque[int]] = {}

    @property
    def balances(self) -> tuple[Balance, ...]:
        """All equations that compare two sides."""
        return (self.held, self.committed, self.out)

    def order_event(self, order_id: str, payload: Message | None, now: datetime) -> None:
        """Something happened to an order of these books."""
        match payload:
            case facts.OrderPlaced():
                self._units[order_id] = _Units(sum(line.quantity for line in payload.lines))
            case facts.CaptureRequested():
                self._expect_committed(order_id, now)
            case facts.RefundStarted():
                # Its stock is released first; the money may take long.
                self._expect_not_committed(order_id, now)
            case facts.OrderFulfilled():
                self.out.add_right(order_id, self._end(order_id, now), now)
            case facts.OrderRefunded() | facts.OrderCancelled() | facts.OrderRejected():
                self._end(order_id, now)
            case facts.ReturnStarted():
                self._start_return(order_id, sum(line.quantity for line in payload.lines), now)
            case facts.ReturnCompleted():
                self._complete_return(order_id, now)

    def movement_of_order(self, movement: StockMovement, now: datetime) -> None:
        """A movement for an order of these books."""
        order_id = order_of(movement.reservation_id)
        if movement.held_delta > 0:
            self.held.add_left(f"{order_id} {movement.sku}", movement.held_delta, now)
        elif movement.held_delta < 0:
            self.held.add_right(f"{order_id} {movement.sku}", -movement.held_delta, now)
        self.committed.add_left(order_id, movement.committed_delta, now)
        if movement.kind in _OUT:
            self.out.add_left(order_id, -movement.on_hand_delta, now)

    def sum_up(self, movement: StockMovement) -> None:
        """Add a movement to the sums of its item, whatever it was for."""
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

    def _expect_committed(self, order_id: str, now: datetime) -> None:
        units = self._units.get(order_id)
        if units is not None and not units.is_committed:
            units.is_committed = True
            self.committed.add_right(order_id, units.number, now)

    def _expect_not_committed(self, order_id: str, now: datetime) -> None:
        units = self._units.get(order_id)
        if units is not None and units.is_committed:
            units.is_committed = False
            self.committed.add_right(order_id, -units.number, now)

    def _end(self, order_id: str, now: datetime) -> int:
        """Forget the units of an order; return how many there were."""
        self._expect_not_committed(order_id, now)
        units = self._units.pop(order_id, None)
        return 0 if units is None else units.number

    def _start_return(self, order_id: str, units: int, now: datetime) -> None:
        returns = self._returns.setdefault(order_id, deque())
        returns.append(units)
        if len(returns) == 1:
            self.out.add_right(order_id, -units, now)

    def _complete_return(self, order_id: str, now: datetime) -> None:
        returns = self._returns.get(order_id)
        if not returns:
            return
        returns.popleft()
        if returns:
            self.out.add_right(order_id, -returns[0], now)
        else:
            del self._returns[order_id]


def order_of(reservation_id: str) -> str:
    """The id of the order for which stock is reserved."""
    return f"ord_{reservation_id.rpartition('_')[2]}"


def _balance(name: str) -> Balance:
    return Balance(name, "inventory", "orders")
