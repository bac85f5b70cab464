"""Reads what is new of every source into the books, while somebody looks.

One reading at a time: who comes meanwhile sees what there is, with its age.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, Protocol

import grpc
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2 import (
    GetFeedRequest,
    ListDeadLettersRequest,
    ReadEventsRequest,
)
from tradepost.inventory.v1.inventory_service_pb2 import ListStockMovementsRequest
from tradepost.notification.v1.notification_pb2 import NotificationState
from tradepost.notification.v1.notification_service_pb2 import ListNotificationsRequest
from tradepost.payment.v1.payment_service_pb2 import ListLedgerEntriesRequest

from discovery.clock import Clock
from services.console.books.books import DEAD_LETTERS, LEVELS, MAILS, Books, mail_key
from services.console.books.cursors import FeedCursor, ListCursor
from services.console.books.levels_cursor import LevelsCursor
from services.console.books.processor_cursor import ProcessorCursor
from services.console.books.repeated_cursor import RepeatedCursor
from services.console.reading.asker import LARGEST_PAGE, Asker, is_allowed
from services.console.reading.gathering import reason_of
from services.console.reading.stubs import Stubs
from services.console.wire.texts import instant

# How long one look may read on; a page's deadline is later.
READ_FOR_S = 1.5
# Of each type of event: the many orders of customers must not push out a refund by an operator.
MOST_PERSONAL = 500
# By how much the clocks of two machines may differ.
CLOCKS_DIFFER = timedelta(minutes=1)


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
        # What people did, as far as an event tells of it: the newest last, by the event's type.
        self._personal: dict[str, deque[Event]] = {}
        self._stubs = stubs
        self._clock = clock
        self._reading = asyncio.Lock()
        self._complete: dict[str, datetime] = {}
        self._faults: dict[str, str] = {}
        self._epochs: dict[str, str] = {}
        # Whether a feed isn't the one that the books know.
        self._is_outdated = False
        # The oldest position of each feed from which on nothing was removed.
        self._oldest: dict[str, int] = {}
        self._feeds: dict[str, FeedCursor] = {}
        self._cursors = self._made()

    async def look(self, asker: Asker, *, for_s: float = READ_FOR_S) -> None:
        """Read what is new as this person, for so long; return at once while another one reads."""
        if self._reading.locked() or not is_allowed(asker.roles, ReadEventsRequest):
            return
        async with self._reading:
            until_s = self._clock.monotonic() + for_s
            await self._follow_feeds(asker)
            await asyncio.gather(
                *(self._advance(name, asker, until_s) for name in self._cursors if name != LEVELS),
            )
            # After the movements, with whose sums they are compared.
            await self._advance(LEVELS, asker, until_s)

    @property
    def personal(self) -> Iterable[Event]:
        """What people did, as far as an event tells of it; the newest `MOST_PERSONAL` of a type."""
        return chain.from_iterable(self._personal.values())

    def progress(self) -> tuple[Progress, ...]:
        """How far each source was read."""
        return tuple(
            Progress(name, cursor.text, self._complete.get(name), self._faults.get(name, ""))
            for name, cursor in self._cursors.items()
        )

    async def _follow_feeds(self, asker: Asker) -> None:
        """Begin all books anew where a feed isn't the one that they know.

        It has another epoch, or events that were not read yet were removed. A feed that doesn't
        answer is reported by the reading of it.
        """
        for name, stub in self._stubs.feeds.items():
            try:
                feed = await asker.call(stub.GetFeed, GetFeedRequest())
            except grpc.aio.AioRpcError:
                continue
            self._is_outdated |= self._epochs.get(name, feed.epoch) != feed.epoch
            if name in self._feeds:
                self._is_outdated |= self._feeds[name].position + 1 < feed.oldest_position
                self._oldest[name] = feed.oldest_position
            self._epochs[name] = feed.epoch
        if self._is_outdated:
            await self._begin_anew(asker)

    async def _begin_anew(self, asker: Asker) -> None:
        """Forget everything, and begin where every feed has all that came later."""
        removed = [name for name, oldest in self._oldest.items() if oldest > 1]
        try:
            begun = [await self._oldest_time(name, asker) for name in removed]
        except grpc.aio.AioRpcError:
            # The reading of that feed reports it, and the next look tries again.
            return
        self._is_outdated = False
        self.books = Books(since=max(begun) + CLOCKS_DIFFER if begun else None)
        self._personal.clear()
        self._complete.clear()
        self._cursors = self._made()

    async def _oldest_time(self, name: str, asker: Asker) -> datetime:
        """When the oldest event came that can be read; now, if there is none."""
        request = ReadEventsRequest(after_position=self._oldest[name] - 1, page_size=1)
        page = await asker.call(self._stubs.feeds[name].ReadEvents, request)
        return instant(page.events[0].occur_time) if page.events else self._clock.now()

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

        self._feeds = self._made_feeds()
        return {
            **{f"{name} feed": cursor for name, cursor in self._feeds.items()},
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
            **self._made_repeated(),
        }

    def _made_repeated(self) -> Mapping[str, Cursor]:
        """The lists that are read from their beginning each time."""
        books, stubs, now = self.books, self._stubs, self._clock.now
        pending = NotificationState.NOTIFICATION_STATE_PENDING
        return {
            MAILS: RepeatedCursor(
                stubs.notifications.ListNotifications,
                lambda: ListNotificationsRequest(states=[pending]),
                lambda page: page.notifications,
                mail_key,
                lambda mails: books.unsent_mails(mails, now()),
            ),
            **{
                f"{DEAD_LETTERS} of {name}": RepeatedCursor(
                    stub.ListDeadLetters,
                    ListDeadLettersRequest,
                    lambda page: page.dead_letters,
                    lambda letter: f"{letter.consumer} {letter.event.aggregate_id}",
                    partial(books.dead_letters, name),
                )
                for name, stub in stubs.dead_letters.items()
            },
            LEVELS: LevelsCursor(stubs.inventory, books.stock),
        }

    def _made_feeds(self) -> dict[str, FeedCursor]:
        """The feeds, each from the oldest position from which on nothing was removed."""

        def take(apply: Callable[[Event, datetime], None], one: Event) -> None:
            apply(one, self._clock.now())
            if one.actor.startswith("person:"):
                kept = self._personal.setdefault(one.type, deque(maxlen=MOST_PERSONAL))
                kept.append(one)

        books = self.books
        applied: dict[str, Callable[[Event, datetime], None]] = {
            "order": books.order_event,
            "payment": books.payment_event,
            "inventory": lambda *_: None,
        }
        return {
            name: FeedCursor(
                self._stubs.feeds[name],
                partial(take, apply),
                position=max(0, self._oldest.get(name, 0) - 1),
            )
            for name, apply in applied.items()
        }
