"""Waits for changes of any stream that match a filter; made by `Tailer.watch`."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from services.chassis.store.unit.change import Change

ChangeFilter: TypeAlias = Callable[[Change], bool]


class Watch:
    """Wakes one task at a time, for changes that match `matches`."""

    def __init__(self, matches: ChangeFilter, *, is_patient: bool = False) -> None:
        self._matches = matches
        self._is_patient = is_patient
        self._reached = 0
        self._closed = False
        self.woken: asyncio.Future[None] | None = None

    def is_due(self, after_position: int) -> bool:
        """Whether there may be a matching change after a position, or waiting has ended."""
        return self._closed or self._reached > after_position

    def begin(self) -> asyncio.Future[None]:
        """A future that is resolved at the next matching change."""
        self.woken = asyncio.get_running_loop().create_future()
        return self.woken

    def report(self, change: Change) -> bool:
        """Take note of a change that the tailer has seen; whether it is new and urgent."""
        if not self._matches(change):
            return False
        is_new = change.position > self._reached
        self.reach(change.position)
        return is_new and not self._is_patient

    def reach(self, position: int) -> None:
        """Take note that there may be matching changes up to `position`."""
        self._reached = max(self._reached, position)
        self._wake()

    def close(self) -> None:
        """Let every wait, now and later, return at once."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(None)
