"""A list that is read from its beginning each time."""

from collections.abc import Sequence

from tradepost.inventory.v1.inventory_service_pb2 import ListStockRequest, ListStockResponse
from tradepost.inventory.v1.item_pb2 import StockLevel

from services.console.books.repeated_cursor import RepeatedCursor
from services.console.reading.asker import Asker

ASKER = Asker((), frozenset({"OPERATOR"}), 1.0)


class Shelf:
    """Answers ListStock with pages of one item; it stands for a stub's method."""

    def __init__(self, *skus: str) -> None:
        self.skus = list(skus)

    async def list_stock(
        self, request: ListStockRequest, **_: float | Sequence[tuple[str, str]]
    ) -> ListStockResponse:
        place = int(request.page_token or 0)
        is_last = place + 1 >= len(self.skus)
        return ListStockResponse(
            stock=[StockLevel(sku=sku) for sku in self.skus[place : place + 1]],
            next_page_token="" if is_last else str(place + 1),
        )


async def test_each_reading_hands_over_the_whole_list_once_it_has_all() -> None:
    """Also one that goes on in another look; what has left the list isn't there any more."""
    shelf, readings = Shelf("bread", "milk"), list[list[str]]()
    cursor = RepeatedCursor[StockLevel](
        shelf.list_stock,
        ListStockRequest,
        lambda page: page.stock,
        lambda levels: readings.append([each.sku for each in levels]),
    )
    assert await cursor.advance(ASKER)
    assert readings == []
    assert not await cursor.advance(ASKER)
    shelf.skus = ["tea"]
    assert not await cursor.advance(ASKER)

    assert readings == [["bread", "milk"], ["tea"]]
    assert cursor.text == "1"
