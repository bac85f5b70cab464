"""The less loaded of two random choices; load is peak EWMA x (in flight + 1) / weight."""

import random
from collections.abc import Collection, Sequence

from discovery.policy import CandidateT, Picker


def p2c_peak_ewma(candidates: Sequence[CandidateT], rng: random.Random) -> Picker[CandidateT]:
    """Finagle's P2C: two distinct random candidates, the lower load wins; flat in their number."""
    usable = tuple(candidates)
    random_float = rng.random

    def choose(among: tuple[CandidateT, ...], now_s: float) -> CandidateT | None:
        number = len(among)
        if number <= 1:
            return among[0] if among else None
        first = int(random_float() * number)
        second = int(random_float() * (number - 1))
        if second >= first:
            second += 1
        one, other = among[first], among[second]
        if (
            one.load.value(now_s) * other.instance.weight
            <= other.load.value(now_s) * one.instance.weight
        ):
            return one
        return other

    def pick(now_s: float, excluded: Collection[object]) -> CandidateT | None:
        if excluded:
            others = tuple(one for one in usable if one not in excluded)
            return choose(others or usable, now_s)
        return choose(usable, now_s)

    return pick
