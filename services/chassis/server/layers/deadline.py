"""Refuses what is already past, and bounds everything else by what the caller has left."""

from discovery.clock import Clock
from discovery.rules import deadline
from services.chassis.request.context import Context
from services.chassis.server.errors import DeadlinePassedError
from services.chassis.server.layers.layer import Behavior, Method


class Deadline:
    """Binds the caller's deadline, so that every call made through discovery stays within it."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, method: Method, inner: Behavior) -> Behavior:
        """Stand above admission: what nobody waits for takes no place."""

        def bounded(request: object, context: Context) -> object:
            remaining_s = context.time_remaining()
            if remaining_s is not None and remaining_s <= 0:
                raise DeadlinePassedError
            deadline.inherit(deadline.of_time_remaining(remaining_s, now_s=self._clock.monotonic()))
            return inner(request, context)

        return bounded
