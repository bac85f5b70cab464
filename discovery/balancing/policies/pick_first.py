"""Picks the first usable candidate in the order of the list; the others are on standby."""

import random
from collections.abc import Collection, Sequence

from discovery.balancing.policy import CandidateT, Picker


def pick_first(candidates: Sequence[CandidateT], _rng: random.Random) -> Picker[CandidateT]:
    """The first candidate in the resolution's order (by id) that isn't excluded.

    All candidates are connected, so changing to the next costs no connection set-up. When an
    earlier one is usable again, it is the first again.
    """
    usable = tuple(candidates)

    def pick(_now_s: float, excluded: Collection[object]) -> CandidateT | None:
        if not usable:
            return None
        return next((one for one in usable if one not in excluded), usable[0])

    return pick
