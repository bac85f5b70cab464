"""Refuses a call whose deadline has passed, and passes the deadline on to outgoing calls."""

from discovery.clock import Clock
from discovery.rules import deadline
from services.chassis.request.context import Context
from services.chassis.server.errors import DeadlinePassedError
from services.chassis.server.layers.layer import Behavior, ServedMethod


class Deadline:
    """Binds the caller's deadline, which bounds every outgoing call through discovery."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Act before admission, so that a call whose caller has given up takes no slot."""

        def bounded(request: object, context: Context) -> object:
            remaining_s = context.time_remaining()
            if remaining_s is not None and remaining_s <= 0:
                raise DeadlinePassedError
            deadline.inherit(deadline.of_time_remaining(remaining_s, now_s=self._clock.monotonic()))
            return inner(request, context)

        return bounded
