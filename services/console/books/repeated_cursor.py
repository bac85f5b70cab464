"""A list from which things go away: it is read from its beginning again and again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import grpc

from services.console.books.cursors import ListPage
from services.console.reading.asker import LARGEST_PAGE, Asker

ItemT = TypeVar("ItemT")
# A longer list is a fault already, and reading on would load a service that is in trouble.
MOST = 10_000


@dataclass(slots=True)
class RepeatedCursor(Generic[ItemT]):
    """Reads a whole list, page by page, and hands the keys of its items to `take` at the end.

    Only the whole list tells what is no longer in it. A reading that takes longer than one look
    goes on in the next one. A service without such a list has an empty one.
    """

    method: Any
    request: Callable[[], Any]
    items: Callable[[Any], Iterable[ItemT]]
    key: Callable[[ItemT], str]
    take: Callable[[list[str]], None]
    most: int = MOST
    text: str = ""
    _token: str = ""
    _found: list[str] = field(default_factory=list)

    async def advance(self, asker: Asker) -> bool:
        """Read a page; return whether there is another one. Raises AioRpcError."""
        request = self.request()
        request.page_size, request.page_token = LARGEST_PAGE, self._token
        try:
            page: ListPage = await asker.call(self.method, request)
        except grpc.aio.AioRpcError as error:
            self._begin_again()
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise
            self.text = "none here"
            return False
        self._found += map(self.key, self.items(page))
        self._token = page.next_page_token
        has_more = bool(self._token)
        if has_more and len(self._found) < self.most:
            return True
        self.text = f"at least {len(self._found):,}" if has_more else f"{len(self._found):,}"
        self.take(self._found)
        self._begin_again()
        return False

    def _begin_again(self) -> None:
        self._token = ""
        self._found = []
