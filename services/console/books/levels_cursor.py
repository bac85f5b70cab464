"""The stock levels, which are read anew each time and compared with the movements."""

from dataclasses import dataclass

import grpc
from tradepost.inventory.v1.inventory_service_pb2 import ListStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

from services.console.books.stock_books import StockBooks
from services.console.reading.asker import LARGEST_PAGE, Asker


@dataclass(slots=True)
class LevelsCursor:
    """A place in the list of levels; at its end it begins again, because levels change.

    Each page is compared as soon as it is there: later the movements would be newer than it.
    """

    stub: InventoryServiceAsyncStub
    stock: StockBooks
    _token: str = ""

    async def advance(self, asker: Asker) -> bool:
        """Read and compare a page; return whether there is another one. Raises AioRpcError."""
        request = ListStockRequest(page_size=LARGEST_PAGE, page_token=self._token)
        try:
            page = await asker.call(self.stub.ListStock, request)
        except grpc.aio.AioRpcError:
            self._token = ""
            raise
        self.stock.compare(page.stock)
        self._token = page.next_page_token
        return bool(self._token)

    @property
    def text(self) -> str:
        """How many were compared, for a person."""
        return f"{len(self.stock.levels):,} compared"
