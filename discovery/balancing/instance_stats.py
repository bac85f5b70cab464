"""What is known of one incarnation of an instance, whatever becomes of its connection."""

from collections.abc import Callable
from dataclasses import dataclass

from discovery.balancing.load import TAU_S, Load
from discovery.clock import Clock
from discovery.registry.instance import Instance
from discovery.rules.outcome_window import Outcomes

# A vanished instance is forgotten when its load has decayed to nothing.
FORGET_S = 10 * TAU_S


@dataclass(slots=True)
class Ejection:
    """Why an instance is left out, since when (monotonic seconds).

    From `due_s` on the next call probes it. `probed_s`: a probe is under way since then.
    """

    reason: str
    since_s: float
    due_s: float
    probed_s: float | None = None


class Record:
    """Load, outcomes and ejections of one incarnation.

    After each failure `suspect` is asked whether the instance is to be ejected; while it is,
    `redeem` is told its successes. Both are told when that attempt began and when it ended.
    """

    __slots__ = (
        "ejection",
        "ejections",
        "instance",
        "load",
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
        suspect: Callable[["Record", float, float], None],
        redeem: Callable[["Record", float, float], None],
    ) -> None:
        self.instance = instance
        self.load = Load(now_s)
        self.outcomes = Outcomes()
        self.ejection: Ejection | None = None
        # How often in a row, for what is each time longer.
        self.ejections = 0
        self.returned_s = now_s
        self.suspect = suspect
        self.redeem = redeem


class Records:
    """The records by instance id and incarnation: a restarted instance begins anew."""

    def __init__(self, *, clock: Clock, make: Callable[[Instance, float], Record]) -> None:
        self._clock = clock
        self._make = make
        self._records: dict[tuple[str, str], tuple[Record, float]] = {}

    def of(self, instance: Instance) -> Record:
        """The record of this incarnation: kept while it is listed, and for some time after."""
        now_s = self._clock.monotonic()
        known = self._records.get(_key(instance))
        record = self._make(instance, now_s) if known is None else known[0]
        record.instance = instance
        self._records[_key(instance)] = (record, now_s)
        return record

    def forget_old(self) -> None:
        """Forget those that weren't listed for 100 s and have nothing in flight."""
        now_s = self._clock.monotonic()
        for key, (record, listed_s) in list(self._records.items()):
            if not record.load.in_flight and now_s - listed_s > FORGET_S:
                del self._records[key]


def _key(instance: Instance) -> tuple[str, str]:
    return (instance.instance_id, instance.incarnation)
