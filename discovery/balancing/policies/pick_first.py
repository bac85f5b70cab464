"""The first that can be used, in the order of the list; the others stand by."""

import random
from collections.abc import Collection, Sequence

from discovery.balancing.policy import CandidateT, Picker


def pick_first(candidates: Sequence[CandidateT], _rng: random.Random) -> Picker[CandidateT]:
    """The first in the resolution's order (by id), and the next one where that was tried.

    All are connected, so that a failure costs no connecting; when an earlier one comes back, it
    is the first again.
    """
    usable = tuple(candidates)

    def pick(_now_s: float, excluded: Collection[object]) -> CandidateT | None:
        if not usable:
            return None
        return next((one for one in usable if one not in excluded), usable[0])

    return pick
