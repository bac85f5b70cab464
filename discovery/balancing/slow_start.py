"""A new instance gets its share little by little: caches are cold, code isn't compiled (Envoy).

Its weight grows from 10 % to all of it within 30 s of the first time it can be picked, in a
straight line. Instances that began together are equally cold, and share alike.
"""

from collections.abc import Iterable

from discovery.balancing.load import Load

SLOW_START_S = 30.0
LEAST_SHARE = 0.1
# Closer together than this, nobody is spared: there is no warmer one to take the calls.
_TOGETHER_S = 1.0


def begin(load: Load, now_s: float) -> None:
    """The instance can be picked; only the first time counts."""
    if load.warm_s is None:
        load.warm_s = now_s + SLOW_START_S


def share(load: Load, now_s: float) -> float:
    """What part of its weight the instance counts with now: 0.1 to 1."""
    if load.warm_s is None or now_s >= load.warm_s:
        return 1.0
    return max(LEAST_SHARE, 1.0 - (load.warm_s - now_s) / SLOW_START_S)


def until_s(loads: Iterable[Load]) -> float:
    """Until when these differ by their slow start; before all time where they don't."""
    instants = [load.warm_s or 0.0 for load in loads]
    if not instants or max(instants) - min(instants) < _TOGETHER_S:
        return float("-inf")
    return max(instants)
