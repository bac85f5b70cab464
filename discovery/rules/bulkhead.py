"""Counts the calls in flight of one channel and queues those above the limit, without waiting.

The limits are a key of this package in the service config; without it there is no limit:

    "bulkhead": {"maxCalls": 100, "maxQueued": 50}

It counts calls, not attempts; a stream counts until it ends. Above `maxCalls` a call waits in a
queue, first in, first out, at most until its deadline; above `maxQueued` it is refused at once. The
drivers do the waiting.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from discovery.errors import LocalRefusalError, RefusalReason


@dataclass(frozen=True, slots=True)
class BulkheadConfig:
    """How many calls may be in flight, and how many may wait."""

    max_calls: int
    max_queued: int


class Permit:
    """One call's permit to be in flight; `on_granted` is called when a waiting call gets it."""

    __slots__ = ("_bulkhead", "held", "on_granted")

    def __init__(self, bulkhead: "Bulkhead") -> None:
        self._bulkhead = bulkhead
        self.held = False
        self.on_granted: Callable[[], None] = _not_waiting

    def release(self) -> None:
        """Give the permit to the call that has waited longest; only the first release counts."""
        if self.held:
            self.held = False
            self._bulkhead.free()


class Bulkhead:
    """The permits of one channel."""

    def __init__(self, config: BulkheadConfig) -> None:
        self._config = config
        self._queue: deque[Permit] = deque()
        self.in_flight = 0

    @property
    def queued(self) -> int:
        """How many calls wait in the queue."""
        return len(self._queue)

    def try_enter(self, permit: Permit) -> bool:
        """Grant the permit if one is free; none is free while calls wait."""
        if self.in_flight >= self._config.max_calls:
            return False
        self.in_flight += 1
        permit.held = True
        return True

    def join_queue(self, permit: Permit, path: str) -> None:
        """Queue the call until `on_granted` is called. Raises LocalRefusalError if it is full."""
        if len(self._queue) >= self._config.max_queued:
            raise LocalRefusalError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                RefusalReason.BULKHEAD_FULL,
                f"{path}: {self.in_flight} calls in flight, {self.queued} wait",
            )
        self._queue.append(permit)

    def leave_queue(self, permit: Permit) -> None:
        """Stop waiting. A permit granted at the same instant stays held: release it."""
        if not permit.held:
            self._queue.remove(permit)

    def free(self) -> None:
        """A call ended: grant its permit to the next one in the queue, if there is one."""
        if self._queue:
            following = self._queue.popleft()
            following.held = True
            following.on_granted()
        else:
            self.in_flight -= 1


def _not_waiting() -> None:
    """Do nothing: the permit was granted at once."""
