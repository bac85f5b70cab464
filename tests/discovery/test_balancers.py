"""Which instance a picker chooses."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from discovery.balancers.p2c_peak_ewma import p2c_peak_ewma
from discovery.balancers.round_robin import round_robin
from discovery.instance import Instance
from discovery.load import Load
from discovery.policy import Policy


@dataclass(eq=False)
class Candidate:
    """An instance and its load."""

    name: str
    weight: int = 1
    load: Load = field(default_factory=lambda: Load(0.0))

    @property
    def instance(self) -> Instance:
        return Instance(self.name, "service", "127.0.0.1", 1, weight=self.weight)


def picks(policy: Policy, *candidates: Candidate, number: int = 1000) -> Counter[str]:
    """How often each of them is chosen."""
    pick = policy(candidates, random.Random(3))
    return Counter(one.name for _ in range(number) if (one := pick(0.0, ())) is not None)


POLICIES = pytest.mark.parametrize("policy", [p2c_peak_ewma, round_robin])


@POLICIES
def test_nothing_is_picked_of_nothing(policy: Policy) -> None:
    """None says: wait, or give up."""
    assert policy([], random.Random(3))(0.0, ()) is None


@POLICIES
def test_the_only_one_is_picked_even_if_it_was_tried(policy: Policy) -> None:
    """A retry goes back where it came from when there is nothing else."""
    only = Candidate("a")

    assert policy([only], random.Random(3))(0.0, (only,)) is only


@POLICIES
def test_what_was_tried_is_not_picked_while_there_is_another(policy: Policy) -> None:
    """A retry goes elsewhere."""
    a, b, c = Candidate("a"), Candidate("b"), Candidate("c")
    pick = policy([a, b, c], random.Random(3))

    assert {pick(0.0, (a, c)) for _ in range(50)} == {b}
    assert {pick(0.0, (a,)) for _ in range(50)} == {b, c}
    assert pick(0.0, (a, b, c)) in (a, b, c)


@POLICIES
def test_a_picker_is_a_snapshot(policy: Policy) -> None:
    """What happens to the list afterwards doesn't reach it."""
    candidates = [Candidate("a"), Candidate("b")]
    pick = policy(candidates, random.Random(3))
    candidates.clear()

    assert pick(0.0, ()) is not None


@POLICIES
def test_equals_share_alike(policy: Policy) -> None:
    """Of three equal instances each gets about a third."""
    shares = picks(policy, Candidate("a"), Candidate("b"), Candidate("c"), number=3000)

    assert all(900 < shares[name] < 1100 for name in "abc")


def test_round_robin_takes_each_in_turn() -> None:
    """From a random start, so that clients don't march in step."""
    candidates = [Candidate(name) for name in "abc"]
    rounds = []
    for seed in range(20):
        pick = round_robin(candidates, random.Random(seed))
        chosen = [pick(0.0, ()) for _ in range(4)]
        rounds.append("".join(one.name for one in chosen if one is not None))

    assert set(rounds) == {"abca", "bcab", "cabc"}


def test_p2c_of_two_takes_the_less_loaded() -> None:
    """Both are looked at, every time."""
    slow, fast = Candidate("slow"), Candidate("fast")
    slow.load.observe(0.5, 0.0)

    assert picks(p2c_peak_ewma, slow, fast) == {"fast": 1000}


def test_p2c_of_three_never_takes_the_most_loaded() -> None:
    """It loses every comparison; the two others meet it or each other."""
    slow, a, b = Candidate("slow"), Candidate("a"), Candidate("b")
    slow.load.observe(0.5, 0.0)

    shares = picks(p2c_peak_ewma, slow, a, b)
    assert shares["slow"] == 0
    assert min(shares["a"], shares["b"]) > 400


def test_p2c_counts_what_is_in_flight() -> None:
    """Equally fast, but busy."""
    busy, idle = Candidate("busy"), Candidate("idle")
    busy.load.in_flight = 1

    assert picks(p2c_peak_ewma, busy, idle) == {"idle": 1000}


@pytest.mark.parametrize(("in_flight", "chosen"), [(2, "heavy"), (3, "light")])
def test_p2c_divides_the_load_by_the_weight(in_flight: int, chosen: str) -> None:
    """Weight 3 carries three times as much: at 3/3 it is as loaded as 1/1, at 4/3 more."""
    heavy, light = Candidate("heavy", weight=3), Candidate("light")
    heavy.load.in_flight = in_flight
    light.load.in_flight = 0 if in_flight > 2 else 1

    assert picks(p2c_peak_ewma, heavy, light) == {chosen: 1000}
