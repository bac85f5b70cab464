"""Outlier ejection: an instance that fails gets no calls for a while, then one call as a probe.

The limits are made for 2 to 5 instances. The defaults of gRPC and Envoy want 5 hosts with 100 calls
each in an interval, and so never eject anything in such a small service.

- An instance is ejected after 5 failures in a row that show absence or overload (UNAVAILABLE,
  DEADLINE_EXCEEDED), or if it succeeds much less often than the others do with the same methods
  (`discovery.balancing.peer_comparison`). What an application answers about one method ejects
  nobody. At most max(1, N / 2) of N are ejected.
- It is ejected for min(5 s x n, 300 s) x U(0.5, 1); the random part keeps many clients from
  returning together. n counts the ejections; every 10 s without another reduce it by one.
- Then the next call is the probe. If it succeeds, the ejection ends; if it fails, the next ejection
  begins. An application's error fails it only if the others answer the method. If it has no result
  (cancelled, still waiting), another probe follows after 5 s.
"""

import logging
import random
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

import grpc

from discovery.balancing.instance_stats import Ejection, InstanceStats
from discovery.balancing.peer_comparison import is_answered_elsewhere, worse_than_others
from discovery.balancing.policy import Candidate, Picker
from discovery.balancing.settings import DEFAULT_EJECTION, EjectionSettings
from discovery.rules.failure_codes import APPLICATION_FAULTS
from discovery.rules.method import Method

logger = logging.getLogger(__name__)

# Each of these periods without another ejection takes one off the count.
FORGIVE_S = 10.0
PROBE_AGAIN_S = 5.0


class Ejectable(Candidate, Protocol):
    """A candidate with the record that says whether it is ejected."""

    @property
    def record(self) -> InstanceStats: ...


EjectableT = TypeVar("EjectableT", bound=Ejectable)


class Ejector:
    """Ejects the instances of one balancer and ends their ejections; then it calls `changed`.

    Nothing here waits: a pick finds out whether an ejection has run its time.
    """

    def __init__(
        self,
        *,
        listed: Callable[[], Collection[InstanceStats]],
        rng: random.Random,
        changed: Callable[[], None],
        settings: EjectionSettings | None = DEFAULT_EJECTION,
    ) -> None:
        self._settings = settings
        self._listed = listed
        self._rng = rng
        self._changed = changed
        # The ejections of all instances, those that are no longer listed included.
        self.total = 0

    def suspect(
        self,
        record: InstanceStats,
        method: Method,
        code: grpc.StatusCode,
        began_s: float,
        now_s: float,
    ) -> None:
        """Decide on an ejection after an attempt that began at `began_s` failed now."""
        settings = self._settings
        if settings is None:
            return
        ejection = record.ejection
        if ejection is None:
            self._judge(record, code, settings, now_s)
        elif ejection.probed_s is None or began_s < ejection.probed_s:
            return
        elif code not in APPLICATION_FAULTS or is_answered_elsewhere(
            record, method, self._listed(), now_s, settings
        ):
            self._eject(record, "the probe failed", now_s)
        else:
            self.redeem(record, began_s, now_s)

    def _judge(
        self,
        record: InstanceStats,
        code: grpc.StatusCode,
        settings: EjectionSettings,
        now_s: float,
    ) -> None:
        in_row = record.load.failures_in_row
        if in_row >= settings.failures_in_row and code not in APPLICATION_FAULTS:
            reason: str | None = f"{in_row} failures in a row"
        else:
            reason = worse_than_others(record, self._listed(), now_s, settings)
        if reason is not None and self._has_room(record, settings):
            self._eject(record, reason, now_s)

    def redeem(self, record: InstanceStats, began_s: float, now_s: float) -> None:
        """End the ejection if its probe succeeded; an earlier attempt proves nothing."""
        ejection = record.ejection
        if ejection is None or ejection.probed_s is None or began_s < ejection.probed_s:
            return
        record.ejection = None
        record.returned_s = now_s
        record.outcomes.clear()
        record.load.failures_in_row = 0
        logger.info("%s: %s returns after %.1f s", *_named(record), now_s - ejection.since_s)
        self._changed()

    def _has_room(self, record: InstanceStats, settings: EjectionSettings) -> bool:
        """Whether one more may be ejected; an instance that isn't listed gets no calls anyway."""
        listed = self._listed()
        ejected = sum(one.ejection is not None for one in listed)
        return record in listed and ejected < max(1, int(len(listed) * settings.most_ejected))

    def _eject(self, record: InstanceStats, reason: str, now_s: float) -> None:
        since_s = now_s
        if record.ejection is None:
            forgiven = int((now_s - record.returned_s) // FORGIVE_S)
            record.ejections = max(0, record.ejections - forgiven)
        else:
            since_s = record.ejection.since_s
        record.ejections += 1
        self.total += 1
        ejected_s = duration_s(record.ejections, self._rng, self._settings or DEFAULT_EJECTION)
        record.ejection = Ejection(reason, since_s, due_s=now_s + ejected_s)
        logger.warning(
            "%s: %s is ejected for %.1f s (ejection %d): %s",
            *_named(record),
            ejected_s,
            record.ejections,
            reason,
        )
        self._changed()


def duration_s(
    ejections: int, rng: random.Random, settings: EjectionSettings = DEFAULT_EJECTION
) -> float:
    """How long the n-th ejection lasts: min(5 s x n, 300 s) x U(0.5, 1)."""
    return min(settings.first_s * ejections, settings.ceiling_s) * rng.uniform(0.5, 1.0)


def begin_probe(ejection: Ejection, now_s: float) -> None:
    """Note that a probe begins, and when the next one is due if this one has no result."""
    ejection.probed_s = now_s
    ejection.due_s = now_s + PROBE_AGAIN_S


def return_probe(record: InstanceStats, now_s: float) -> None:
    """Make a probe due again that was picked at this time and then not sent."""
    ejection = record.ejection
    if ejection is not None and ejection.probed_s == now_s:
        ejection.probed_s, ejection.due_s = None, now_s


def with_probes(
    ordinary: Picker[EjectableT], ejected: Collection[EjectableT]
) -> Picker[EjectableT]:
    """A picker that first picks, once, an ejected candidate whose time is over: its probe."""

    def pick(now_s: float, excluded: Collection[object]) -> EjectableT | None:
        for one in ejected:
            ejection = one.record.ejection
            if ejection is not None and now_s >= ejection.due_s and one not in excluded:
                begin_probe(ejection, now_s)
                return one
        return ordinary(now_s, excluded)

    return pick


def _named(record: InstanceStats) -> tuple[str, str]:
    return record.instance.service, record.instance.instance_id
