"""A list that is read from its beginning again and again, because what is in it changes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.console.books.cursors import ListPage
from services.console.reading.asker import LARGEST_PAGE, Asker

ItemT = TypeVar("ItemT")


@dataclass(slots=True)
class RepeatedCursor(Generic[ItemT]):
    """`take` gets all items of one reading; `number` is how many they were.

    A reading that takes longer than one look goes on in the next one.
    """

    method: Any
    request: Callable[[], Any]
    items: Callable[[Any], Iterable[ItemT]]
    take: Callable[[list[ItemT]], None]
    number: int = 0
    _token: str = ""
    _found: list[ItemT] = field(default_factory=list)

    async def advance(self, asker: Asker) -> bool:
        """Read a page; return whether there is another one. Raises AioRpcError."""
        request = self.request()
        request.page_size, request.page_token = LARGEST_PAGE, self._token
        page: ListPage = await asker.call(self.method, request)
        self._found += self.items(page)
        self._token = page.next_page_token
        if self._token:
            return True
        self.number = len(self._found)
        self.take(self._found)
        self._found = []
        return False

    @property
    def text(self) -> str:
        """How many there were, for a person."""
        return f"{self.number:,}"
