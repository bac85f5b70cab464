"""Picks the candidates in turn, from a random start, so that clients don't pick in step."""

import random
from collections.abc import Collection, Sequence
from itertools import count

from discovery.balancing.policy import CandidateT, Picker


def round_robin(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """The next candidate in order.

    A pick that excludes some is random and doesn't advance the turn: if retries took the turns of
    the healthy instance, every first attempt would go to the broken one.
    """
    usable = tuple(candidates)
    turns = count(int(rng.random() * len(usable)))

    def pick(_now_s: float, excluded: Collection[object]) -> CandidateT | None:
        if not usable:
            return None
        if excluded:
            among = [one for one in usable if one not in excluded] or usable
            return among[int(rng.random() * len(among))]
        return usable[next(turns) % len(usable)]

    return pick
