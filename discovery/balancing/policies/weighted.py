"""Each as often as its weight in the registry says, at random: 3 gets three calls where 1 gets one.

Unlike gRPC's weighted_round_robin, whose weights are the servers' own load reports (gRFC A58).
"""

import random
from bisect import bisect
from collections.abc import Collection, Sequence
from itertools import accumulate

from discovery.balancing import slow_start
from discovery.balancing.policy import CandidateT, Picker

# A cold instance passes its turn on with (1 - its share); after so many turns it is taken.
_MAX_TURNS = 8


def weighted(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """A draw by weight x slow-start share; what was never given a weight above 0 gets nothing."""
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
            for _ in range(_MAX_TURNS):
                if rng.random() < slow_start.share(one.load, now_s):
                    break
                one = draw()
        return one

    def draw() -> CandidateT:
        return usable[bisect(ends, rng.random() * ends[-1])]

    return pick
