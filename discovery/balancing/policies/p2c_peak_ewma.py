"""Picks the less loaded of two random candidates.

Load is peak EWMA x (in flight + 1) / slow-start share. Candidates with different weights are drawn
by weight.
"""

import random
from collections.abc import Collection, Sequence

from discovery.balancing import slow_start
from discovery.balancing.policies.weighted import weighted
from discovery.balancing.policy import CandidateT, Picker


def p2c_peak_ewma(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """Finagle's P2C: of two distinct random candidates, the one with the lower load; O(1)."""
    usable = tuple(candidates)
    if len({one.instance.weight for one in usable}) > 1:
        return _drawn_by_weight(usable, rng)
    number = len(usable)
    loads = tuple(one.load for one in usable)
    random_float = rng.random
    # Usually no candidate is in slow start, so a pick costs one comparison more.
    cold_until_s = slow_start.until_s(one.load for one in usable)

    def pick(now_s: float, excluded: Collection[object]) -> CandidateT | None:
        if excluded:
            others = [one for one in usable if one not in excluded]
            if 0 < len(others) < number:
                return p2c_peak_ewma(others, rng)(now_s, ())
        if number <= 1:
            return usable[0] if usable else None
        first = int(random_float() * number)
        second = int(random_float() * (number - 1))
        if second >= first:
            second += 1
        load, other_load = loads[first].value(now_s), loads[second].value(now_s)
        if now_s < cold_until_s:
            load *= slow_start.share(loads[second], now_s)
            other_load *= slow_start.share(loads[first], now_s)
        return usable[first if load <= other_load else second]

    return pick


def _drawn_by_weight(usable: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """Draw twice by weight x slow-start share, and pick the less loaded one, as nginx's `random`.

    Both draws may give the same one, so equally loaded candidates get calls in proportion to their
    weights, and one that is less loaded than all others gets twice its share at most. If weights
    only divided the load, one of weight 1 beside one of weight 99 would get no call at all until
    the other one has dozens in flight: a canary would never be tried.
    """
    draw = weighted(usable, rng)
    most = max(one.instance.weight for one in usable)

    def pick(now_s: float, excluded: Collection[object]) -> CandidateT | None:
        first, second = draw(now_s, excluded), draw(now_s, excluded)
        if first is None or second is None or first is second:
            return first
        return first if load(first, now_s) <= load(second, now_s) else second

    def load(one: CandidateT, now_s: float) -> float:
        """Latency x (in flight + 1), where a call in flight counts by the weight."""
        in_flight = one.load.in_flight
        times = most / max(1, one.instance.weight)
        return one.load.value(now_s) * (in_flight * times + 1) / (in_flight + 1)

    return pick
