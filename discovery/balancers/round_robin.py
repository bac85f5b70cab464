"""Each in turn, from a random start so that many clients don't march in step."""

import random
from collections.abc import Collection, Sequence
from itertools import count

from discovery.policy import CandidateT, Picker


def round_robin(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """The next candidate in order; the turn is the only thing that moves."""
    usable = tuple(candidates)
    turns = count(int(rng.random() * len(usable)))

    def pick(_now_s: float, excluded: Collection[object]) -> CandidateT | None:
        for _ in usable:
            one = usable[next(turns) % len(usable)]
            if one not in excluded:
                return one
        return usable[next(turns) % len(usable)] if usable else None

    return pick
