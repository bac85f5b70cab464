"""Picks the less loaded of two random candidates.

Load is peak EWMA x (in flight + 1) / (weight x slow-start share).
"""

import random
from collections.abc import Collection, Sequence

from discovery.balancing import slow_start
from discovery.balancing.policy import CandidateT, Picker


def p2c_peak_ewma(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """Finagle's P2C: of two distinct random candidates, the one with the lower load; O(1)."""
    usable = tuple(candidates)
    number = len(usable)
    loads = tuple(one.load for one in usable)
    alike = len({one.instance.weight for one in usable}) <= 1
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
        if not alike:
            # load / (weight x share) on both sides, multiplied out.
            load *= usable[second].instance.weight
            other_load *= usable[first].instance.weight
        return usable[first if load <= other_load else second]

    return pick
