"""Limits how many calls the server works on at once, and refuses the others.

The limit is fixed and there is no queue. A refused caller learns it at once, with pushback, and
tries another instance or comes back when a slot can be free (`pushback`). There are three
priorities: gRPC's own services, such as health, are never refused; a tenth of the slots is kept for
compensations, because they release what others hold; all other calls are refused first.

A call that only waits (for an order to settle, for the next event) gives its slot back meanwhile
(`request.slot`), and takes it again afterwards without being refused. The number of waiting calls
has a limit of its own.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from typing import Any

from discovery.clock import Clock
from services.chassis.request.context import Context
from services.chassis.request.slot import SLOT
from services.chassis.server.errors import OverloadedError
from services.chassis.server.layers.layer import Behavior, ServedMethod
from services.chassis.server.layers.pushback import Pushback

# One slot in this many is kept for compensations.
_COMPENSATION_SHARE = 10


class Admission:
    """The layer that counts calls at work and calls that wait."""

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

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Act before deserialization: a refusal must cost less than the work that it saves."""
        if method.is_infrastructure:
            return inner
        if method.response_streaming:
            return self._streaming(method, inner)
        return self._unary(method, inner)

    def _unary(self, method: ServedMethod, inner: Behavior) -> Behavior:
        limit = self._limit_of(method)
        waits = method.path in self._waiting_methods

        async def admitted(request: Any, context: Context) -> Any:
            slot = self._admit(limit, waits=waits)
            try:
                return await inner(request, context)
            finally:
                slot.leave()

        return admitted

    def _streaming(self, method: ServedMethod, inner: Behavior) -> Behavior:
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

    def _limit_of(self, method: ServedMethod) -> int:
        compensates = method.path in self._compensation_methods
        return self._limit if compensates else self.ordinary_limit

    def _admit(self, limit: int, *, waits: bool) -> "_Slot":
        if self.working >= limit:
            raise self._overloaded(limit)
        slot = _Slot(self, waits=waits)
        SLOT.set(slot)
        return slot

    def count_waiter(self) -> None:
        """Count a call that may wait. Raises OverloadedError when there are too many."""
        if self.waiting >= self._max_waiting:
            raise self._overloaded(self._max_waiting)
        self.waiting += 1

    def free(self) -> None:
        """Count a slot that has become free."""
        self.working -= 1
        self._pushback.freed += 1

    def _overloaded(self, limit: int) -> OverloadedError:
        retry_after_s = self._pushback.refused(self._clock.monotonic())
        return OverloadedError(limit=limit, retry_after_s=retry_after_s)


class _Slot:
    """What one call holds: a slot among the calls at work, and one among those that wait.

    A call of a method that is known to wait is counted as a waiter on admission, so that it is
    refused before it has written anything. Other calls are counted when they first wait.
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
