"""The places of a bulkhead, as counts and a line; who waits, and how, is the driver's business.

    "bulkhead": {"maxCalls": 100, "maxQueued": 50}

in the service config, ours; without it there is none. It counts calls, not attempts; a stream
holds its place until it ends. Above `maxCalls` a call waits in line, first come first served, at
most until its deadline; above `maxQueued` it is refused at once.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from discovery.errors import LocalRefusalError, RefusalReason


@dataclass(frozen=True, slots=True)
class BulkheadConfig:
    """How many calls may be in flight, and how many may wait for a place."""

    max_calls: int
    max_queued: int


class Place:
    """What one call holds; left once, whoever says so first. `given` is called by its giver."""

    __slots__ = ("_bulkhead", "given", "held")

    def __init__(self, bulkhead: "Bulkhead") -> None:
        self._bulkhead = bulkhead
        self.held = False
        self.given: Callable[[], None] = _nobody_waits

    def leave(self) -> None:
        """Give the place to whoever waits longest."""
        if self.held:
            self.held = False
            self._bulkhead.free()


class Bulkhead:
    """The places of one channel."""

    def __init__(self, config: BulkheadConfig) -> None:
        self._config = config
        self._line: deque[Place] = deque()
        self.in_flight = 0

    @property
    def queued(self) -> int:
        """How many calls wait."""
        return len(self._line)

    def enter(self, place: Place) -> bool:
        """Take a place, if there is one; while somebody waits there is none."""
        if self.in_flight >= self._config.max_calls:
            return False
        self.in_flight += 1
        place.held = True
        return True

    def stand_in_line(self, place: Place, path: str) -> None:
        """Wait for a place: `given` is called when it is there. Raises LocalRefusalError."""
        if len(self._line) >= self._config.max_queued:
            raise LocalRefusalError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                RefusalReason.BULKHEAD_FULL,
                f"{path}: {self.in_flight} calls in flight, {self.queued} wait",
            )
        self._line.append(place)

    def step_out(self, place: Place) -> None:
        """Wait no longer; a place that was given in the same instant is left like any other."""
        if not place.held:
            self._line.remove(place)

    def free(self) -> None:
        """A call ended: its place is the next one's, or free."""
        if self._line:
            following = self._line.popleft()
            following.held = True
            following.given()
        else:
            self.in_flight -= 1


def _nobody_waits() -> None:
    """A place that was there at once."""
