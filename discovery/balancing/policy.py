"""The types of a balancing policy: candidates, pickers and the policy that makes pickers.

A policy is a function from the usable candidates to a picker; a picker is a function that
chooses one of them and never awaits. A picker is an immutable snapshot: when the candidates
change, the policy makes a new one. Measurements live in each candidate's `Load`, so they outlive
the picker.
"""

import random
from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from discovery.balancing.load import Load
from discovery.registry.instance import Instance


class Candidate(Protocol):
    """An instance that can be picked, and its load."""

    @property
    def instance(self) -> Instance: ...

    @property
    def load(self) -> Load: ...


CandidateT = TypeVar("CandidateT", bound=Candidate)
PickedT_co = TypeVar("PickedT_co", covariant=True)


class Picker(Protocol[PickedT_co]):
    """Chooses a candidate at the monotonic instant `now_s`, without waiting.

    A candidate in `excluded` is chosen only if there is no other. None: there are no candidates.
    """

    def __call__(self, now_s: float, excluded: Collection[object], /) -> PickedT_co | None: ...


class Policy(Protocol):
    """Makes a picker for the candidates that are usable now: at least one, in the list's order.

    It is called in the thread that sees a change, again after each change. A policy with settings
    is an object with this method. If it raises an error, so do all calls until the next change.
    """

    def __call__(
        self, candidates: Sequence[CandidateT], rng: random.Random, /
    ) -> Picker[CandidateT]: ...
