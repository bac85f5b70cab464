"""Picks at random by weight: weight 3 gets three times as many calls as weight 1.

The weights are the registry's. Those of gRPC's weighted_round_robin are load reports of the servers
(gRFC A58).
"""

import random
from bisect import bisect
from collections.abc import Collection, Sequence
from itertools import accumulate

from discovery.balancing import slow_start
from discovery.balancing.policy import CandidateT, Picker

# A drawn instance in slow start is kept with the probability of its share, else drawn again; this
# often at most.
_MAX_DRAWS = 8


def weighted(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """A random draw by weight x slow-start share; weight 0 gets no calls while others have more."""
    usable = [one for one in candidates if one.instance.weight > 0] or list(candidates)
    ends = list(accumulate(max(1, one.instance.weight) for one in usable))
    cold_until_s = slow_start.until_s(one.load for one in usable)

    def pick(now_s: float, excluded: Collection[object]) -> CandidateT | None:
        if excluded:
            others = [one for one in usable if one not in excluded]
            if 0 < len(others) < len(usable):
                return weighted(others, rng)(now_s, ())
        if not usable:
            return None
        one = draw()
        if now_s < cold_until_s:
            for _ in range(_MAX_DRAWS):
                if rng.random() < slow_start.share(one.load, now_s):
                    break
                one = draw()
        return one

    def draw() -> CandidateT:
        return usable[bisect(ends, rng.random() * ends[-1])]

    return pick
