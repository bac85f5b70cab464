"""Takes on as many calls as the server can work on at once, and refuses the rest at the door.

A fixed limit and no queue: a caller that is told at once, with pushback, tries another instance,
or comes back when a place can be free (`pushback`). Three priorities: gRPC's own services, health
first of all, are never refused; a tenth of the places is kept for compensations, which give back
what others hold; everything else is refused first. A call that
waits (for an order to settle, for the next event) works on nothing: it gives its place back with

    with slot_released():
        change = await follower.wait(...)

and takes it again afterwards, without being refused. Waiting calls have a bound of their own.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from typing import Any

from discovery.clock import Clock
from services.chassis.request.context import Context
from services.chassis.request.slot import SLOT
from services.chassis.server.errors import OverloadedError
from services.chassis.server.layers.layer import Behavior, Method
from services.chassis.server.layers.pushback import Pushback

# One place in so many is left to compensations.
_COMPENSATION_SHARE = 10


class Admission:
    """Counts calls at work and calls that wait; a layer of the stack."""

    def __init__(
        self,
        *,
        clock: Clock,
        limit: int,
        max_waiting: int,
        waiting_methods: Collection[str] = (),
        compensation_methods: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._pushback = Pushback()
        self._limit = limit
        self._max_waiting = max_waiting
        self._waiting_methods = frozenset(waiting_methods)
        self._compensation_methods = frozenset(compensation_methods)
        kept = limit // _COMPENSATION_SHARE if self._compensation_methods else 0
        self.ordinary_limit = limit - kept
        self.working = 0
        self.waiting = 0

    def __call__(self, method: Method, inner: Behavior) -> Behavior:
        """Stand above deserialization: a refusal must cost less than the work it saves."""
        if method.is_infrastructure:
            return inner
        if method.response_streaming:
            return self._streaming(method, inner)
        return self._unary(method, inner)

    def _unary(self, method: Method, inner: Behavior) -> Behavior:
        limit = self._limit_of(method)
        waits = method.path in self._waiting_methods

        async def admitted(request: Any, context: Context) -> Any:
            slot = self._admit(limit, waits=waits)
            try:
                return await inner(request, context)
            finally:
                slot.leave()

        return admitted

    def _streaming(self, method: Method, inner: Behavior) -> Behavior:
        limit = self._limit_of(method)
        waits = method.path in self._waiting_methods

        async def admitted(request: Any, context: Context) -> AsyncIterator[Any]:
            slot = self._admit(limit, waits=waits)
            try:
                async with aclosing(inner(request, context)) as messages:
                    async for message in messages:
                        yield message
            finally:
                slot.leave()

        return admitted

    def _limit_of(self, method: Method) -> int:
        compensates = method.path in self._compensation_methods
        return self._limit if compensates else self.ordinary_limit

    def _admit(self, limit: int, *, waits: bool) -> "_Slot":
        if self.working >= limit:
            raise self._overloaded(limit)
        slot = _Slot(self, waits=waits)
        SLOT.set(slot)
        return slot

    def count_waiter(self) -> None:
        """One more call that may wait. Raises OverloadedError when there are too many."""
        if self.waiting >= self._max_waiting:
            raise self._overloaded(self._max_waiting)
        self.waiting += 1

    def free(self) -> None:
        """One place among those at work is free."""
        self.working -= 1
        self._pushback.freed += 1

    def _overloaded(self, limit: int) -> OverloadedError:
        retry_after_s = self._pushback.refused(self._clock.monotonic())
        return OverloadedError(limit=limit, retry_after_s=retry_after_s)


class _Slot:
    """What one call holds: a place among those at work, and one among those that wait.

    A method known to wait is counted among the waiters from the door on, so that it is refused
    there and not after it has written something; any other when it first waits.
    """

    __slots__ = ("_admission", "_counted", "_depth", "_left")

    def __init__(self, admission: Admission, *, waits: bool) -> None:
        if waits:
            admission.count_waiter()
        admission.working += 1
        self._admission = admission
        self._counted = waits
        self._depth = 0
        self._left = False

    def step_aside(self) -> None:
        if not self._counted and not self._left:
            self._admission.count_waiter()
            self._counted = True
        self._depth += 1
        if self._depth == 1 and not self._left:
            self._admission.free()

    def step_back(self) -> None:
        self._depth -= 1
        if self._depth == 0 and not self._left:
            self._admission.working += 1

    def leave(self) -> None:
        self._left = True
        if self._depth == 0:
            self._admission.free()
        self._admission.waiting -= self._counted
