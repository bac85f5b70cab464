"""A bound to what one channel has in flight, so that a slow service can't take all of a caller.

    "bulkhead": {"maxCalls": 100, "maxQueued": 50}

in the service config, ours; without it there is none. It counts calls, not attempts; a stream
holds its place until it ends. Above `maxCalls` a call waits in line, first come first served, at
most until its deadline; above `maxQueued` it is refused at once.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from discovery import deadline
from discovery.clock import Clock
from discovery.errors import LocalRefusalError, RefusalReason
from discovery.method import Kind, Method
from discovery.opening import Later
from discovery.outgoing import Layer, Outgoing, Send


@dataclass(frozen=True, slots=True)
class BulkheadConfig:
    """How many calls may be in flight, and how many may wait for a place."""

    max_calls: int
    max_queued: int


class Place:
    """What one call holds; left once, whoever says so first."""

    __slots__ = ("_bulkhead", "held")

    def __init__(self, bulkhead: "Bulkhead") -> None:
        self._bulkhead = bulkhead
        self.held = False

    def leave(self) -> None:
        """Give the place to whoever waits longest."""
        if self.held:
            self.held = False
            self._bulkhead.free()


class Bulkhead:
    """The places of one channel."""

    def __init__(self, config: BulkheadConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._queue: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0

    @property
    def queued(self) -> int:
        """How many calls wait."""
        return len(self._queue)

    def enter(self, place: Place) -> bool:
        """Take a place, if there is one; while somebody waits there is none."""
        if self.in_flight >= self._config.max_calls:
            return False
        self.in_flight += 1
        place.held = True
        return True

    async def wait(self, place: Place, method: Method, outgoing: Outgoing) -> None:
        """Wait in line for a place. Raises LocalRefusalError: the line is full, or time is over."""
        if len(self._queue) >= self._config.max_queued:
            raise LocalRefusalError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                RefusalReason.BULKHEAD_FULL,
                f"{method.path}: {self.in_flight} calls in flight, {self.queued} wait",
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await self._until_deadline(turn, outgoing)
        finally:
            if turn.done() and not turn.cancelled():
                # Also where the caller was cancelled in the same instant: it will leave.
                place.held = True
            else:
                self._queue.remove(turn)
        outgoing.now_s = self._clock.monotonic()
        if not place.held:
            raise deadline.spent(method.path)

    async def _until_deadline(self, turn: "asyncio.Future[None]", outgoing: Outgoing) -> None:
        if outgoing.deadline_s is None:
            await asyncio.wait([turn])
            return
        loop = asyncio.get_running_loop()
        time_is_over = loop.create_task(self._clock.sleep(outgoing.deadline_s - outgoing.now_s))
        try:
            await asyncio.wait([turn, time_is_over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            time_is_over.cancel()

    def free(self) -> None:
        """A call ended: its place is the next one's, or free."""
        if self._queue:
            self._queue.popleft().set_result(None)
        else:
            self.in_flight -= 1


def layer(bulkhead: Bulkhead | None) -> Layer:
    """Let calls in; without a bulkhead it is no layer at all."""

    def build(method: Method, below: Send) -> Send:
        if bulkhead is None:
            return below
        if method.kind is Kind.UNARY_UNARY:
            return _unary(bulkhead, method, below)
        return _stream(bulkhead, method, below)

    return build


def _unary(bulkhead: Bulkhead, method: Method, below: Send) -> Send:
    async def send(outgoing: Outgoing) -> Any:
        place = Place(bulkhead)
        try:
            if not bulkhead.enter(place):
                await bulkhead.wait(place, method, outgoing)
            return await below(outgoing)
        finally:
            place.leave()

    return send


def _stream(bulkhead: Bulkhead, method: Method, below: Send) -> Send:
    def send(outgoing: Outgoing) -> Any:
        place = Place(bulkhead)
        outgoing.ended = place.leave
        if not bulkhead.enter(place):
            return Later(partial(later, place, outgoing))
        try:
            return below(outgoing)
        except BaseException:
            place.leave()
            raise

    async def later(place: Place, outgoing: Outgoing) -> Any:
        await bulkhead.wait(place, method, outgoing)
        sent = below(outgoing)
        return await sent.start() if isinstance(sent, Later) else sent

    return send
