"""What is measured of one incarnation of an instance; it survives a lost connection."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import grpc

from discovery.balancing.load import TAU_S, Load
from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.rules.method import Method
from discovery.rules.outcome_window import Outcomes

# By then the load of an instance that is no longer listed has decayed to nothing.
FORGET_S = 10 * TAU_S

# Id, incarnation and endpoint: what identifies one process and the connection to it.
Key = tuple[str, str, str]

# Of one method at one instance: the newest attempts that are kept, so that memory stays bounded.
_MOST_ATTEMPTS = 1_000


def key_of(instance: Instance) -> Key:
    """What identifies the process that an instance is, and the connection to it."""
    return (instance.instance_id, instance.incarnation, instance.endpoint)


@dataclass(slots=True)
class Ejection:
    """Why an instance gets no calls, and since when (monotonic seconds).

    From `due_s` on, the next call probes it. `probed_s`: when the last probe began.
    """

    reason: str
    since_s: float
    due_s: float
    probed_s: float | None = None


class Suspect(Protocol):
    """Decides on an ejection after an attempt of a method failed with a code."""

    def __call__(
        self,
        record: "InstanceStats",
        method: Method,
        code: grpc.StatusCode,
        began_s: float,
        now_s: float,
        /,
    ) -> None: ...


class Redeem(Protocol):
    """Ends the ejection of an instance whose probe succeeded."""

    def __call__(self, record: "InstanceStats", began_s: float, now_s: float, /) -> None: ...


class InstanceStats:
    """Load, outcomes of each method, and ejections of one incarnation.

    `suspect` is called after each failed attempt, `redeem` after each successful one of an ejected
    instance. In `outcomes` the culprit of a failure is its code.
    """

    __slots__ = (
        "ejection",
        "ejections",
        "instance",
        "load",
        "lost_s",
        "outcomes",
        "redeem",
        "returned_s",
        "suspect",
    )

    def __init__(
        self,
        instance: Instance,
        now_s: float,
        *,
        suspect: Suspect,
        redeem: Redeem,
    ) -> None:
        self.instance = instance
        self.load = Load(now_s)
        self.outcomes: defaultdict[Method, Outcomes] = defaultdict(_new_window)
        self.ejection: Ejection | None = None
        # How often in a row: each ejection is longer than the one before.
        self.ejections = 0
        self.returned_s = now_s
        # When an attempt last ended because the connection was lost.
        self.lost_s = float("-inf")
        self.suspect = suspect
        self.redeem = redeem

    def totals(self, now_s: float) -> tuple[int, int]:
        """How many attempts of all methods ended in the last 10 s, and how many of them failed."""
        calls = failures = 0
        for outcomes in self.outcomes.values():
            outcomes.forget_old(now_s)
            calls += len(outcomes.calls)
            failures += len(outcomes.failures)
        return calls, failures


def _new_window() -> Outcomes:
    return Outcomes(_MOST_ATTEMPTS)


class StatsTable:
    """The records by id, incarnation and endpoint: a process that replaces another gets a new one.

    The endpoint counts for instances that are registered without an incarnation. If an id that
    moved kept its record, the calls in flight at the new endpoint would keep the old one draining.
    """

    def __init__(self, *, clock: Clock, make: Callable[[Instance, float], InstanceStats]) -> None:
        self._clock = clock
        self._make = make
        self._records: dict[Key, tuple[InstanceStats, float]] = {}

    def of(self, instance: Instance) -> InstanceStats:
        """The record of this incarnation, made on first use."""
        now_s = self._clock.monotonic()
        known = self._records.get(key_of(instance))
        record = self._make(instance, now_s) if known is None else known[0]
        record.instance = instance
        self._records[key_of(instance)] = (record, now_s)
        return record

    def forget_old(self) -> None:
        """Drop records that weren't asked for in 100 s and have nothing in flight."""
        now_s = self._clock.monotonic()
        for key, (record, listed_s) in list(self._records.items()):
            if not record.load.in_flight and now_s - listed_s > FORGET_S:
                del self._records[key]
