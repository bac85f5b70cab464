"""What is appended to a log, as far as it is wanted; made by `Tailer.watch`."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from services.chassis.store.change import Change

Wants: TypeAlias = Callable[[Change], bool]


class Watch:
    """Wakes one task at a time, and only for changes that it wants."""

    def __init__(self, wants: Wants) -> None:
        self._wants = wants
        self._reached = 0
        self._closed = False
        self.woken: asyncio.Future[None] | None = None

    def is_due(self, after_position: int) -> bool:
        """Whether something behind a position is wanted, or waiting is over."""
        return self._closed or self._reached > after_position

    def begin(self) -> asyncio.Future[None]:
        """What is settled when something is wanted."""
        self.woken = asyncio.get_running_loop().create_future()
        return self.woken

    def tell(self, change: Change) -> None:
        """The tailer saw a change."""
        if self._wants(change):
            self.reach(change.position)

    def reach(self, position: int) -> None:
        """There may be something wanted up to here."""
        self._reached = max(self._reached, position)
        self._wake()

    def close(self) -> None:
        """Let everybody who waits, now or later, return at once."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(None)
