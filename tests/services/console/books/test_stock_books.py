"""The equations of stock, fed with what orders and inventory record."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message
from tradepost.inventory.v1.item_pb2 import StockLevel, StockMovement, StockMovementKind
from tradepost.order.v1 import order_event_pb2 as facts
from tradepost.order.v1.order_pb2 import OrderLine

from services.console.books.stock_books import StockBooks

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=2)
COMMITTED = "units committed = units of paid orders to ship"
OUT = "units out of the warehouse = units of fulfilled orders - returns"
# An order of two items with five units.
LINES = {"bread": 2, "milk": 3}
PLACED = facts.OrderPlaced(
    lines=[facts.PlacedLine(sku=sku, quantity=units) for sku, units in LINES.items()]
)


def paid() -> StockBooks:
    """The books after an order was paid, as both services record it."""
    books = StockBooks()
    happened(books, PLACED)
    moved(books, "HELD", held=1)
    moved(books, "COMMITTED", held=-1, committed=1)
    happened(books, facts.CaptureRequested(), facts.OrderConfirmed())
    return books


def happened(books: StockBooks, *payloads: Message) -> None:
    """The order service recorded these events."""
    for payload in payloads:
        books.order_event("ord_1", payload, NOON)


def moved(
    books: StockBooks, kind: str, *, on_hand: int = 0, held: int = 0, committed: int = 0
) -> None:
    """Inventory recorded a movement of each line, of as many times its units."""
    for sku, units in LINES.items():
        movement = StockMovement(
            reservation_id="rsv_1",
            sku=sku,
            kind=StockMovementKind.Value(f"STOCK_MOVEMENT_KIND_{kind}"),
            on_hand_delta=on_hand * units,
            held_delta=held * units,
            committed_delta=committed * units,
        )
        books.movement_of_order(movement, NOON)


def broken(books: StockBooks) -> list[str]:
    """The names of the equations that don't hold."""
    return [each.name for each in books.balances if not each.state(LATER).holds]


def test_the_stock_of_a_paid_order_is_committed() -> None:
    """From the pivot on."""
    books = paid()
    assert broken(books) == []
    assert (books.committed.left, books.committed.right) == (5, 5)


def test_a_paid_order_without_its_stock_is_found() -> None:
    """It would be promised twice."""
    books = paid()
    moved(books, "RELEASED", committed=-1)

    assert broken(books) == [COMMITTED]
    assert books.committed.state(LATER).examples == ("ord_1",)


def test_stock_that_stays_committed_to_a_refunded_order_is_found() -> None:
    """Nobody could sell it."""
    books = paid()
    happened(books, facts.RefundStarted(), facts.OrderRefunded())
    assert broken(books) == [COMMITTED]

    moved(books, "RELEASED", committed=-1)
    assert broken(books) == []


@pytest.mark.parametrize("end", [facts.OrderCancelled, facts.OrderRejected])
def test_an_order_that_ends_after_its_stock_was_committed(end: type[Message]) -> None:
    """Past the pivot or, where an answer was lost, before it."""
    before, after = StockBooks(), paid()
    happened(before, PLACED)
    moved(before, "COMMITTED", committed=1)
    for books in (before, after):
        happened(books, facts.CancellationStarted(), end())
        assert COMMITTED in broken(books)
        moved(books, "RELEASED", committed=-1)
        assert COMMITTED not in broken(books)


def test_the_stock_of_a_refund_under_way_is_free() -> None:
    """It is released first; the money may take long, or be refused until an operator settles it."""
    books = paid()
    happened(books, facts.RefundStarted())
    moved(books, "RELEASED", committed=-1)
    happened(books, facts.ReviewRequested(step="refund"))
    assert broken(books) == []

    happened(books, facts.OrderRefunded())
    assert broken(books) == []


def shipped(books: StockBooks) -> StockBooks:
    """The books after the goods have left, as inventory records it."""
    moved(books, "FULFILLED", on_hand=-1, committed=-1)
    return books


def test_what_is_shipped_is_no_longer_committed() -> None:
    """And it must be as much as the order has."""
    books = paid()
    happened(books, facts.FulfillmentStarted(), facts.OrderFulfilled())
    assert broken(books) == [COMMITTED, OUT]

    assert broken(shipped(books)) == []
    assert books.out.left == 5


def test_goods_that_had_left_when_a_refund_began() -> None:
    """The order is fulfilled then, whether or not its capture was asked for by the order."""
    refunding, unasked = paid(), StockBooks()
    happened(unasked, PLACED)
    moved(unasked, "COMMITTED", committed=1)
    for books in (refunding, unasked):
        happened(books, facts.RefundStarted())
        shipped(books)
        happened(books, facts.OrderFulfilled())
        assert broken(books) == []


def test_goods_that_left_for_no_order_and_came_back() -> None:
    """As an operator records it, so that stock of an order that was lost can be sold again."""
    books = StockBooks()
    moved(books, "COMMITTED", committed=1)
    assert OUT in broken(shipped(books))

    moved(books, "RETURNED", on_hand=1)
    assert broken(books) == []


def a_return(number: int, sku: str) -> facts.ReturnStarted:
    """A return of all units of an item."""
    return facts.ReturnStarted(
        return_id=f"ret_{number}", lines=[OrderLine(sku=sku, quantity=LINES[sku])]
    )


def came_back(books: StockBooks, sku: str) -> None:
    """Inventory took the units of an item back."""
    kind = StockMovementKind.STOCK_MOVEMENT_KIND_RETURNED
    books.movement_of_order(
        StockMovement(reservation_id="rsv_1", sku=sku, kind=kind, on_hand_delta=LINES[sku]), NOON
    )


def test_what_comes_back_is_of_a_return() -> None:
    """A return whose goods inventory doesn't know is found, and goods without a return."""
    books = shipped(paid())
    happened(books, facts.FulfillmentStarted(), facts.OrderFulfilled(), a_return(1, "milk"))
    assert broken(books) == [OUT]

    came_back(books, "milk")
    assert broken(books) == []
    came_back(books, "milk")
    assert broken(books) == [OUT]


def test_returns_come_back_one_after_the_other() -> None:
    """A second one waits for the refund of the first, which may take long."""
    books = shipped(paid())
    happened(books, facts.FulfillmentStarted(), facts.OrderFulfilled())
    happened(books, a_return(1, "milk"), a_return(2, "bread"))
    came_back(books, "milk")
    assert broken(books) == []

    happened(books, facts.ReturnCompleted())
    assert broken(books) == [OUT]
    came_back(books, "bread")
    happened(books, facts.ReturnCompleted(), facts.OrderReturned())
    assert broken(books) == []


def test_a_level_is_the_sum_of_its_movements() -> None:
    """A level is compared with exactly those movements that made it."""
    books = StockBooks()
    books.sum_up(StockMovement(sku="milk", on_hand_delta=10))
    books.sum_up(StockMovement(sku="milk", reservation_id="rsv_1", held_delta=2))
    level = StockLevel(sku="milk", on_hand_count=10, held_count=2, available_count=8, version=2)
    books.compare([level])
    assert books.levels == {"milk": True}

    level.version = 3
    level.held_count = 0
    books.compare([level])
    assert books.levels == {"milk": True}

    level.version = 2
    books.compare([level])
    assert books.levels == {"milk": False}


def test_an_oversold_item_is_found() -> None:
    """Fewer than none available is a fault, even if the movements say so too."""
    books = StockBooks()
    books.sum_up(StockMovement(sku="milk", reservation_id="rsv_1", held_delta=2))
    books.compare([StockLevel(sku="milk", held_count=2, available_count=-2, version=1)])

    assert books.levels == {"milk": False}
