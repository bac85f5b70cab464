"""The bulkhead of `discovery.rules.bulkhead`; a call waits for its place in its own thread."""

import threading
from dataclasses import dataclass
from typing import Any

from discovery.blocking.balancer import CLOSED
from discovery.blocking.call_end import when_over
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.rules import deadline
from discovery.rules.bulkhead import Bulkhead, Place
from discovery.rules.method import Method


def layer(
    bulkhead: Bulkhead | None,
    *,
    lock: threading.Condition,
    closing: threading.Event,
    clock: Clock,
) -> Layer:
    """Let calls in; without a bulkhead it is no layer at all."""

    def build(method: Method, below: Send) -> Send:
        if bulkhead is None:
            return below
        door = Door(bulkhead, lock, closing, clock)

        def send(outgoing: Outgoing) -> Any:
            place = Place(bulkhead)
            try:
                door.enter(place, method.path, outgoing)
                sent = below(outgoing)
            except BaseException:
                door.leave(place)
                raise
            if outgoing.begins:
                when_over(sent, lambda _: door.leave(place))
            else:
                door.leave(place)
            return sent

        return send

    return build


@dataclass(frozen=True, slots=True)
class Door:
    """Where calls of any thread come in and go out."""

    bulkhead: Bulkhead
    lock: threading.Condition
    closing: threading.Event
    clock: Clock

    def enter(self, place: Place, path: str, outgoing: Outgoing) -> None:
        """Take a place, or wait in line for it.

        Raises LocalRefusalError (the line is full, or time is over), and ValueError on a closed
        channel.
        """
        with self.lock:
            if self.bulkhead.enter(place):
                return
            place.given = self.lock.notify_all
            self.bulkhead.stand_in_line(place, path)
            try:
                self._wait(place, path, outgoing)
            finally:
                self.bulkhead.step_out(place)
        if self.closing.is_set():
            raise ValueError(CLOSED)

    def leave(self, place: Place) -> None:
        """Give the place to whoever waits longest."""
        with self.lock:
            place.leave()

    def _wait(self, place: Place, path: str, outgoing: Outgoing) -> None:
        deadline_s = outgoing.deadline_s
        while not place.held and not self.closing.is_set():
            outgoing.now_s = self.clock.monotonic()
            if deadline_s is not None and deadline_s <= outgoing.now_s:
                raise deadline.spent(path)
            self.lock.wait(None if deadline_s is None else deadline_s - outgoing.now_s)
        outgoing.now_s = self.clock.monotonic()
