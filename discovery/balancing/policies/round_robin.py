"""Each in turn, from a random start so that many clients don't march in step."""

import random
from collections.abc import Collection, Sequence
from itertools import count

from discovery.balancing.policy import CandidateT, Picker


def round_robin(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """The next candidate in order; the turn is the only thing that moves.

    A pick that excludes some is a random one and leaves the turn alone: a retry that took the
    turn of a healthy instance would leave every first attempt to a broken one.
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
