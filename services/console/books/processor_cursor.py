"""The place in the simulated processor's book, which a suite for real money doesn't have."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import grpc
from tradepost.payment.testing.v1.simulated_processor_service_pb2 import (
    ListProcessorEntriesRequest,
)
from tradepost.payment.testing.v1.simulated_processor_service_pb2_grpc import (
    SimulatedProcessorServiceAsyncStub,
)

from services.console.books.books import Books
from services.console.reading.asker import LARGEST_PAGE, Asker


@dataclass(slots=True)
class ProcessorCursor:
    """A sequence number in the book."""

    stub: SimulatedProcessorServiceAsyncStub
    books: Books
    now: Callable[[], datetime]
    sequence: int = 0

    async def advance(self, asker: Asker) -> bool:
        """Read a page; return whether there is another one."""
        request = ListProcessorEntriesRequest(after_sequence=self.sequence, page_size=LARGEST_PAGE)
        try:
            page = await asker.call(self.stub.ListProcessorEntries, request)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return False
            raise
        self.books.has_processor = True
        for entry in page.entries:
            self.books.processor_entry(entry, self.now())
            self.sequence = entry.sequence
        return page.more

    @property
    def text(self) -> str:
        """How far it is, for a person."""
        return f"{self.sequence:,}" if self.books.has_processor else "not shown by this suite"
