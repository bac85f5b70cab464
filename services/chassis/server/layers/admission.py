"""Limits how many calls the server works on at once, and refuses the others.

The limit is fixed and there is no queue. A refused caller learns it at once, with pushback, and
tries another instance or comes back when a slot can be free (`pushback`). There are three
priorities: gRPC's own services, such as health, are never refused; a tenth of the slots is kept for
compensations, because they release what others hold; all other calls are refused first.

A call that only waits (for an order to settle, for the next event) gives its slot back meanwhile
(`request.slot`), and takes it again afterwards without being refused. Waiting calls have three
limits of their own, so that none starves another: calls with one answer, streams to callers, and
the subscriptions by which services follow each other.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from discovery.clock import Clock
from discovery.rules import contract
from services.chassis.request.context import Context
from services.chassis.request.slot import SLOT
from services.chassis.server.errors import OverloadedError
from services.chassis.server.layers.layer import Behavior, ServedMethod
from services.chassis.server.layers.pushback import Pushback

# One slot in this many is kept for compensations.
_COMPENSATION_SHARE = 10
# The setting of the limit of calls at work.
WORKING = "TRADEPOST_MAX_CONCURRENT"


@dataclass(slots=True)
class WaitingPool:
    """The calls of one kind that wait, at most `limit`, which the environment variable sets."""

    setting: str
    limit: int
    count: int = 0


class Admission:
    """The layer that counts calls at work and calls that wait."""

    def __init__(
        self,
        *,
        clock: Clock,
        limit: int,
        max_waiting: int,
        max_watching: int,
        max_subscribers: int,
        subscription_methods: Collection[str] = (),
        compensation_methods: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._pushback = Pushback()
        self._limit = limit
        self._calls = WaitingPool("TRADEPOST_MAX_WAITING", max_waiting)
        self._watchers = WaitingPool("TRADEPOST_MAX_WATCHING", max_watching)
        self._subscribers = WaitingPool("TRADEPOST_MAX_SUBSCRIBERS", max_subscribers)
        self._subscription_methods = frozenset(subscription_methods)
        self._compensation_methods = frozenset(compensation_methods)
        kept = limit // _COMPENSATION_SHARE if self._compensation_methods else 0
        self.ordinary_limit = limit - kept
        self.working = 0
        pools = (self._calls, self._watchers, self._subscribers)
        self._pools = {pool.setting: pool for pool in pools}
        # How many calls were refused, by the setting of the limit.
        self.shed = Counter(dict.fromkeys((WORKING, *self._pools), 0))

    @property
    def waiting(self) -> int:
        """How many calls wait, or may wait."""
        return self._calls.count + self._watchers.count + self._subscribers.count

    @property
    def admitted(self) -> dict[str, int]:
        """The calls that count against each limit, by its setting."""
        return {WORKING: self.working, **{name: it.count for name, it in self._pools.items()}}

    def __call__(self, method: ServedMethod, inner: Behavior) -> Behavior:
        """Act before deserialization: a refusal must cost less than the work that it saves."""
        if method.is_infrastructure:
            return inner
        if method.response_streaming:
            return self._streaming(method, inner)
        return self._unary(method, inner)

    def _unary(self, method: ServedMethod, inner: Behavior) -> Behavior:
        limit = self._limit_of(method)
        waits = contract.waits(method.path)

        async def admitted(request: Any, context: Context) -> Any:
            slot = self._admit(limit, self._calls, waits=waits)
            try:
                return await inner(request, context)
            finally:
                slot.leave()

        return admitted

    def _streaming(self, method: ServedMethod, inner: Behavior) -> Behavior:
        limit = self._limit_of(method)
        waits = contract.waits(method.path)
        subscribes = method.path in self._subscription_methods
        pool = self._subscribers if subscribes else self._watchers

        async def admitted(request: Any, context: Context) -> AsyncIterator[Any]:
            slot = self._admit(limit, pool, waits=waits)
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

    def _admit(self, limit: int, pool: WaitingPool, *, waits: bool) -> "_Slot":
        if self.working >= limit:
            raise self._overloaded(WORKING, limit)
        slot = _Slot(self, pool, waits=waits)
        SLOT.set(slot)
        return slot

    def count_waiter(self, pool: WaitingPool) -> None:
        """Count a call that may wait. Raises OverloadedError when there are too many."""
        if pool.count >= pool.limit:
            raise self._overloaded(pool.setting, pool.limit)
        pool.count += 1

    def free(self) -> None:
        """Count a slot that has become free."""
        self.working -= 1
        self._pushback.freed += 1

    def _overloaded(self, setting: str, limit: int) -> OverloadedError:
        self.shed[setting] += 1
        retry_after_s = self._pushback.refused(self._clock.monotonic())
        return OverloadedError(limit=limit, setting=setting, retry_after_s=retry_after_s)


class _Slot:
    """What one call holds: a slot among the calls at work, and one among those that wait.

    A call of a method that is known to wait is counted as a waiter on admission, so that it is
    refused before it has written anything. Other calls are counted when they first wait.
    """

    __slots__ = ("_admission", "_counted", "_depth", "_left", "_pool")

    def __init__(self, admission: Admission, pool: WaitingPool, *, waits: bool) -> None:
        if waits:
            admission.count_waiter(pool)
        admission.working += 1
        self._admission = admission
        self._pool = pool
        self._counted = waits
        self._depth = 0
        self._left = False

    def step_aside(self) -> None:
        if not self._counted and not self._left:
            self._admission.count_waiter(self._pool)
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
        self._pool.count -= self._counted
