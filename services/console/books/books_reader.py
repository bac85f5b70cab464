"""Reads what is new of every source into the books, while somebody looks.

One reading at a time: who comes meanwhile sees what there is, with its age.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import grpc
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2 import GetFeedRequest, ReadEventsRequest
from tradepost.inventory.v1.inventory_service_pb2 import ListStockMovementsRequest
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.payment.v1.payment_service_pb2 import ListLedgerEntriesRequest

from discovery.clock import Clock
from services.console.books.books import Books
from services.console.books.cursors import FeedCursor, ListCursor
from services.console.books.levels_cursor import LevelsCursor
from services.console.books.processor_cursor import ProcessorCursor
from services.console.reading.asker import LARGEST_PAGE, Asker, is_allowed
from services.console.reading.gathering import reason_of
from services.console.reading.stubs import Stubs

# How long one look may read on; a page's deadline is later.
READ_FOR_S = 1.5
MOST_PERSONAL = 2_000
_LEVELS = "stock levels"


class Cursor(Protocol):
    """The reading of one source."""

    @property
    def text(self) -> str: ...

    async def advance(self, asker: Asker) -> bool: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source was read, when it was last read to its end, and why it can't be."""

    source: str
    text: str
    complete_time: datetime | None
    fault: str


class BooksReader:
    """The books and the places in their sources; they live as long as the process."""

    def __init__(self, stubs: Stubs, *, clock: Clock) -> None:
        self.books = Books()
        # What people did, as far as an event tells of it; the newest last.
        self.personal: deque[Event] = deque(maxlen=MOST_PERSONAL)
        self._stubs = stubs
        self._clock = clock
        self._reading = asyncio.Lock()
        self._complete: dict[str, datetime] = {}
        self._faults: dict[str, str] = {}
        self._cursors = self._made()
        self._epochs: dict[str, str] = {}

    async def look(self, asker: Asker, *, for_s: float = READ_FOR_S) -> None:
        """Read what is new as this person, for so long; return at once while another one reads."""
        if self._reading.locked() or not is_allowed(asker.roles, ReadEventsRequest):
            return
        async with self._reading:
            until_s = self._clock.monotonic() + for_s
            await self._follow_epochs(asker)
            await asyncio.gather(
                *(self._advance(name, asker, until_s) for name in self._cursors if name != _LEVELS),
            )
            # After the movements, with whose sums they are compared.
            await self._advance(_LEVELS, asker, until_s)

    def progress(self) -> tuple[Progress, ...]:
        """How far each source was read."""
        return tuple(
            Progress(name, cursor.text, self._complete.get(name), self._faults.get(name, ""))
            for name, cursor in self._cursors.items()
        )

    async def _follow_epochs(self, asker: Asker) -> None:
        """Begin all books anew where a feed has a new epoch: its history isn't the one they knew.

        A feed that doesn't answer is reported by the reading of it.
        """
        for name, stub in self._stubs.feeds.items():
            try:
                epoch = (await asker.call(stub.GetFeed, GetFeedRequest())).epoch
            except grpc.aio.AioRpcError:
                continue
            if self._epochs.setdefault(name, epoch) != epoch:
                self._epochs[name] = epoch
                self._begin_anew()

    def _begin_anew(self) -> None:
        self.books = Books()
        self.personal.clear()
        self._complete.clear()
        self._cursors = self._made()

    async def _advance(self, name: str, asker: Asker, until_s: float) -> None:
        """Read pages of a source to its end, or until the time is up."""
        self._faults.pop(name, None)
        try:
            while await self._cursors[name].advance(asker):
                if self._clock.monotonic() > until_s:
                    return
        except grpc.aio.AioRpcError as error:
            self._faults[name] = reason_of(error)
            return
        self._complete[name] = self._clock.now()

    def _made(self) -> Mapping[str, Cursor]:
        books, stubs, now = self.books, self._stubs, self._clock.now

        def at_once(apply: Callable[[Any, datetime], None]) -> Callable[[Any], None]:
            return lambda item: apply(item, now())

        def event(apply: Callable[[Event, datetime], None]) -> Callable[[Event], None]:
            def applied(one: Event) -> None:
                apply(one, now())
                if one.actor.startswith("person:"):
                    self.personal.append(one)

            return applied

        return {
            "order feed": FeedCursor(stubs.feeds["order"], event(books.order_event)),
            "payment feed": FeedCursor(stubs.feeds["payment"], event(books.payment_event)),
            "inventory feed": FeedCursor(stubs.feeds["inventory"], event(lambda *_: None)),
            "ledger": ListCursor(
                stubs.payments.ListLedgerEntries,
                lambda token: ListLedgerEntriesRequest(page_size=LARGEST_PAGE, page_token=token),
                lambda page: page.entries,
                lambda entry: entry.sequence,
                at_once(books.ledger_entry),
            ),
            "stock movements": ListCursor(
                stubs.inventory.ListStockMovements,
                lambda token: ListStockMovementsRequest(page_size=LARGEST_PAGE, page_token=token),
                lambda page: page.movements,
                lambda movement: movement.sequence,
                at_once(books.movement),
            ),
            "notifications": ListCursor(
                stubs.notifications.ListNotifications,
                lambda token: ListNotificationsRequest(page_size=LARGEST_PAGE, page_token=token),
                lambda page: page.notifications,
                lambda mail: mail.notification_id,
                at_once(books.mail),
            ),
            "processor": ProcessorCursor(stubs.processor, books, now),
            _LEVELS: LevelsCursor(stubs.inventory, books),
        }
