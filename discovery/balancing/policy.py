"""What a balancing policy is made of.

A policy is a function from the usable candidates to a picker; a picker is a function that
chooses one of them and never awaits. A picker is an immutable snapshot: when the candidates
change, the policy makes another one. What is measured of a candidate lives in its `Load`, apart
from the picker, and so survives it.
"""

import random
from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from discovery.balancing.load import Load
from discovery.registry.instance import Instance


class Candidate(Protocol):
    """Something that can be picked: an instance and its load."""

    @property
    def instance(self) -> Instance: ...

    @property
    def load(self) -> Load: ...


CandidateT = TypeVar("CandidateT", bound=Candidate)
PickedT_co = TypeVar("PickedT_co", covariant=True)


class Picker(Protocol[PickedT_co]):
    """Chooses a candidate at the monotonic instant `now_s`, without waiting.

    Those in `excluded` are chosen only where there is no other. None: there are no candidates.
    """

    def __call__(self, now_s: float, excluded: Collection[object], /) -> PickedT_co | None: ...


class Policy(Protocol):
    """Makes a picker of the candidates that are usable now."""

    def __call__(
        self, candidates: Sequence[CandidateT], rng: random.Random, /
    ) -> Picker[CandidateT]: ...
