"""The stock levels, which are read anew each time and compared with the movements."""

from dataclasses import dataclass

from tradepost.inventory.v1.inventory_service_pb2 import ListStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

from services.console.books.books import Books
from services.console.reading.asker import Asker


@dataclass(slots=True)
class LevelsCursor:
    """It has no place: a level changes after it was read."""

    stub: InventoryServiceAsyncStub
    books: Books

    async def advance(self, asker: Asker) -> bool:
        """Read and compare the levels; return that there are no more. Raises AioRpcError."""
        levels = await asker.read(self.stub.ListStock, ListStockRequest(), lambda page: page.stock)
        for level in levels:
            self.books.level(level)
        return False

    @property
    def text(self) -> str:
        """How many were compared, for a person."""
        return f"{len(self.books.levels):,} compared"
