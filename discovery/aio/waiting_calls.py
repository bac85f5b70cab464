"""Knows the calls of a channel that wait on this side, so that closing can await or end them.

Calls in flight are counted by their connections; these are not in flight.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# In so many steps of the event loop the tasks of a call begin, or end once it is cancelled.
_STEPS = 10


_kept: set[asyncio.Future[Any]] = set()


def keep(future: "asyncio.Future[Any]") -> None:
    """Keep a reference to a task, or to what a task waits for, until it is done."""
    _kept.add(future)
    future.add_done_callback(_kept.discard)


class WaitingCalls:
    """Calls that wait for an instance, their turn, or the next attempt."""

    def __init__(self) -> None:
        self.ended = False
        self._ends: dict[object, Callable[[], object]] = {}

    def __len__(self) -> int:
        return len(self._ends)

    @contextmanager
    def one(self, end: Callable[[], object]) -> Iterator[None]:
        """Count a call as waiting for the time of the block; `end` makes it stop waiting."""
        waiting = object()
        self._ends[waiting] = end
        if self.ended:
            end()
        try:
            yield
        finally:
            del self._ends[waiting]

    def end_all(self) -> None:
        """End every wait, also those that begin later."""
        self.ended = True
        for end in list(self._ends.values()):
            end()


async def steps() -> None:
    """Let the tasks of calls run, so that those which end are done when `close` returns."""
    for _ in range(_STEPS):
        await asyncio.sleep(0)
