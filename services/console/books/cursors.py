"""Where the reading of a source has got to; each cursor reads its next page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2 import ReadEventsRequest
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceAsyncStub

from services.console.reading.asker import LARGEST_PAGE, Asker

ItemT = TypeVar("ItemT")


@dataclass(slots=True)
class FeedCursor:
    """A position in the feed of a service. `head` is the newest one that was seen."""

    stub: EventFeedServiceAsyncStub
    apply: Callable[[Event], None]
    position: int = 0
    head: int = 0

    async def advance(self, asker: Asker) -> bool:
        """Read a page; return whether there may be more."""
        request = ReadEventsRequest(after_position=self.position, page_size=LARGEST_PAGE)
        page = await asker.call(self.stub.ReadEvents, request)
        for event in page.events:
            self.apply(event)
        self.position, self.head = page.next_position, page.head_position
        return self.position < self.head

    @property
    def text(self) -> str:
        """How far it is, for a person."""
        return f"{self.position:,} of {self.head:,}"


class ListPage(Protocol):
    """A page of a list."""

    @property
    def next_page_token(self) -> str: ...


@dataclass(slots=True)
class ListCursor(Generic[ItemT]):
    """A place in a list that only grows at its end.

    The last page has no token of the next one, so it is read again until it is full; `_seen` are
    the keys of its items that were applied.
    """

    method: Any
    request: Callable[[str], Any]
    items: Callable[[Any], Iterable[ItemT]]
    key: Callable[[ItemT], str | int]
    apply: Callable[[ItemT], None]
    number: int = 0
    _token: str = ""
    _seen: set[str | int] = field(default_factory=set)

    async def advance(self, asker: Asker) -> bool:
        """Read a page; return whether there is another one."""
        page: ListPage = await asker.call(self.method, self.request(self._token))
        for item in self.items(page):
            if self.key(item) not in self._seen:
                self._seen.add(self.key(item))
                self.apply(item)
                self.number += 1
        if not page.next_page_token:
            return False
        self._token = page.next_page_token
        self._seen.clear()
        return True

    @property
    def text(self) -> str:
        """How far it is, for a person."""
        return f"{self.number:,}"
