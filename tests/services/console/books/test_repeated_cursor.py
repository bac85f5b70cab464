"""Lists that are read from their beginning again and again."""

from collections.abc import Callable, Sequence

import grpc
import pytest
from tradepost.inventory.v1.inventory_service_pb2 import ListStockRequest, ListStockResponse
from tradepost.inventory.v1.item_pb2 import StockLevel, StockMovement

from services.console.books.levels_cursor import LevelsCursor
from services.console.books.repeated_cursor import RepeatedCursor
from services.console.books.stock_books import StockBooks
from services.console.reading.asker import Asker

ASKER = Asker((), frozenset({"OPERATOR"}), 1.0)


class Shelf:
    """Answers ListStock with pages of one item; it stands for a stub's method."""

    def __init__(self, *skus: str) -> None:
        self.skus = list(skus)
        self.fails: grpc.StatusCode | None = None

    async def ListStock(
        self, request: ListStockRequest, **_: float | Sequence[tuple[str, str]]
    ) -> ListStockResponse:
        if self.fails is not None:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(self.fails, nothing, nothing)
        place = int(request.page_token or 0)
        is_last = place + 1 >= len(self.skus)
        return ListStockResponse(
            stock=[StockLevel(sku=sku, version=1) for sku in self.skus[place : place + 1]],
            next_page_token="" if is_last else str(place + 1),
        )


def reader(
    shelf: Shelf, take: Callable[[list[str]], None], *, most: int = 10
) -> RepeatedCursor[StockLevel]:
    """Reads the names of the items on a shelf."""
    return RepeatedCursor(
        shelf.ListStock,
        ListStockRequest,
        lambda page: page.stock,
        lambda level: level.sku,
        take,
        most=most,
    )


async def test_each_reading_hands_over_the_whole_list_once_it_has_all() -> None:
    """Also one that goes on in another look; what has left the list isn't there any more."""
    shelf, readings = Shelf("bread", "milk"), list[list[str]]()
    cursor = reader(shelf, readings.append)
    assert await cursor.advance(ASKER)
    assert readings == []
    assert not await cursor.advance(ASKER)
    shelf.skus = ["tea"]
    assert not await cursor.advance(ASKER)

    assert readings == [["bread", "milk"], ["tea"]]
    assert cursor.text == "1"


async def test_a_list_that_is_too_long_is_not_read_to_its_end() -> None:
    """The next reading begins at its beginning, and the page says that there is more."""
    readings = list[list[str]]()
    cursor = reader(Shelf("bread", "milk", "tea"), readings.append, most=2)
    for _ in range(2):
        assert await cursor.advance(ASKER)
        assert not await cursor.advance(ASKER)

    assert readings == [["bread", "milk"]] * 2
    assert cursor.text == "at least 2"


async def test_a_service_without_such_a_list_has_nothing_in_it() -> None:
    """A service that consumes no feed has no dead letters, and nothing waits for them."""
    shelf, readings = Shelf("bread"), list[list[str]]()
    shelf.fails = grpc.StatusCode.UNIMPLEMENTED
    cursor = reader(shelf, readings.append)

    assert not await cursor.advance(ASKER)
    assert (readings, cursor.text) == ([], "none here")


async def test_a_reading_that_failed_begins_anew() -> None:
    """A token may be what the service refuses."""
    shelf, readings = Shelf("bread", "milk"), list[list[str]]()
    cursor = reader(shelf, readings.append)
    assert await cursor.advance(ASKER)
    shelf.fails = grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError):
        await cursor.advance(ASKER)
    shelf.fails = None
    assert await cursor.advance(ASKER)
    assert not await cursor.advance(ASKER)

    assert readings == [["bread", "milk"]]


async def test_levels_are_compared_page_by_page_and_again() -> None:
    """A page that waited for the others would be older than the movements."""
    stock = StockBooks()
    stock.sum_up(StockMovement(sku="bread"))
    cursor = LevelsCursor(Shelf("bread", "milk"), stock)
    assert await cursor.advance(ASKER)
    assert stock.levels == {"bread": True}

    stock.sum_up(StockMovement(sku="milk", on_hand_delta=1))
    assert not await cursor.advance(ASKER)
    assert stock.levels == {"bread": True, "milk": False}
    assert await cursor.advance(ASKER)
