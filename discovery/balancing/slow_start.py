"""Slow start: a new instance gets its full share of calls only after 30 s (as in Envoy).

At first its caches are cold and its code isn't compiled. Its weight grows linearly from 10 % to
100 % within 30 s of the first time it is usable. Instances that started together share equally.
"""

from collections.abc import Iterable

from discovery.balancing.load import Load
from discovery.balancing.settings import DEFAULT_SLOW_START, SlowStartSettings

# Instances that started closer together than this are equally cold: none is spared.
_TOGETHER_S = 1.0


def begin(load: Load, now_s: float, settings: SlowStartSettings = DEFAULT_SLOW_START) -> None:
    """Start the slow start of an instance that is usable now; only the first call counts."""
    if load.warm_s is None:
        load.slow_start = settings
        load.warm_s = now_s + settings.duration_s


def share(load: Load, now_s: float) -> float:
    """The part of its weight that the instance has now: 0.1 to 1."""
    if load.warm_s is None or now_s >= load.warm_s:
        return 1.0
    settings = load.slow_start
    return max(settings.least_share, 1.0 - (load.warm_s - now_s) / settings.duration_s)


def until_s(loads: Iterable[Load]) -> float:
    """Until when slow start makes a difference among these; -inf: it makes none."""
    instants = [load.warm_s or 0.0 for load in loads]
    if not instants or max(instants) - min(instants) < _TOGETHER_S:
        return float("-inf")
    return max(instants)
