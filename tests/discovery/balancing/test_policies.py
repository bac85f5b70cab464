"""Which instance a picker chooses."""

import random
from collections import Counter
from dataclasses import dataclass, field
from pkgutil import iter_modules

import pytest

from discovery.balancing import policies, slow_start
from discovery.balancing.load import Load
from discovery.balancing.policies.p2c_peak_ewma import p2c_peak_ewma
from discovery.balancing.policies.pick_first import pick_first
from discovery.balancing.policies.round_robin import round_robin
from discovery.balancing.policies.table import POLICIES
from discovery.balancing.policies.weighted import weighted
from discovery.balancing.policy import Policy
from discovery.registry.instance import Instance


@dataclass(eq=False)
class PickableInstance:
    """An instance and its load."""

    name: str
    weight: int = 1
    load: Load = field(default_factory=lambda: Load(0.0))

    @property
    def instance(self) -> Instance:
        return Instance(self.name, "service", "127.0.0.1", 1, weight=self.weight)


def picks(policy: Policy, *candidates: PickableInstance, number: int = 1000) -> Counter[str]:
    """How often each candidate is chosen."""
    pick = policy(candidates, random.Random(3))
    return Counter(one.name for _ in range(number) if (one := pick(0.0, ())) is not None)


every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
EVEN = pytest.mark.parametrize("policy", [p2c_peak_ewma, round_robin, weighted])


def test_every_file_of_a_policy_is_in_the_table() -> None:
    """A new policy is a file and its name in the table; a forgotten name fails here."""
    files = {module.name for module in iter_modules(policies.__path__)} - {"table"}

    assert set(POLICIES) == files


@every_policy
def test_nothing_is_picked_of_nothing(policy: Policy) -> None:
    """Without candidates a pick is None."""
    assert policy([], random.Random(3))(0.0, ()) is None


@every_policy
def test_the_only_one_is_picked_even_if_it_was_tried(policy: Policy) -> None:
    """A retry goes to the same instance if there is no other."""
    only = PickableInstance("a")

    assert policy([only], random.Random(3))(0.0, (only,)) is only


@every_policy
def test_what_was_tried_is_not_picked_while_there_is_another(policy: Policy) -> None:
    """A retry goes to another instance."""
    a, b, c = PickableInstance("a"), PickableInstance("b"), PickableInstance("c")
    pick = policy([a, b, c], random.Random(3))

    assert {pick(0.0, (a, c)) for _ in range(50)} == {b}
    others = {b} if policy is pick_first else {b, c}
    assert {pick(0.0, (a,)) for _ in range(50)} == others
    assert pick(0.0, (a, b, c)) in (a, b, c)


@every_policy
def test_a_picker_is_a_snapshot(policy: Policy) -> None:
    """Later changes of the list don't change the picker."""
    candidates = [PickableInstance("a"), PickableInstance("b")]
    pick = policy(candidates, random.Random(3))
    candidates.clear()

    assert pick(0.0, ()) is not None


@EVEN
def test_equals_share_alike(policy: Policy) -> None:
    """Each of three equal instances gets about a third of the calls."""
    shares = picks(
        policy, PickableInstance("a"), PickableInstance("b"), PickableInstance("c"), number=3000
    )

    assert all(900 < shares[name] < 1100 for name in "abc")


def test_round_robin_takes_each_in_turn() -> None:
    """It begins at a random instance, so that clients don't pick in step."""
    candidates = [PickableInstance(name) for name in "abc"]
    rounds = []
    for seed in range(20):
        pick = round_robin(candidates, random.Random(seed))
        chosen = [pick(0.0, ()) for _ in range(4)]
        rounds.append("".join(one.name for one in chosen if one is not None))

    assert set(rounds) == {"abca", "bcab", "cabc"}


def test_a_retry_leaves_the_turns_alone() -> None:
    """If a retry took a healthy instance's turn, the next first attempt would
    get the broken one.
    """
    a, b = PickableInstance("a"), PickableInstance("b")
    pick = round_robin([a, b], random.Random(3))
    first, then = pick(0.0, ()), pick(0.0, ())

    for _ in range(3):
        assert pick(0.0, (a,)) is b

    assert [pick(0.0, ()), pick(0.0, ())] == [first, then]


def test_p2c_of_two_takes_the_less_loaded() -> None:
    """With two instances, both are always compared."""
    slow, fast = PickableInstance("slow"), PickableInstance("fast")
    slow.load.observe(0.5, 0.0)

    assert picks(p2c_peak_ewma, slow, fast) == {"fast": 1000}


def test_p2c_of_three_never_takes_the_most_loaded() -> None:
    """The most loaded one loses every comparison."""
    slow, a, b = PickableInstance("slow"), PickableInstance("a"), PickableInstance("b")
    slow.load.observe(0.5, 0.0)

    shares = picks(p2c_peak_ewma, slow, a, b)
    assert shares["slow"] == 0
    assert min(shares["a"], shares["b"]) > 400


def test_p2c_counts_what_is_in_flight() -> None:
    """Of two equally fast instances, the less busy one is picked."""
    busy, idle = PickableInstance("busy"), PickableInstance("idle")
    busy.load.in_flight = 1

    assert picks(p2c_peak_ewma, busy, idle) == {"idle": 1000}


@pytest.mark.parametrize("policy", [p2c_peak_ewma, weighted])
def test_a_small_weight_gets_its_small_share(policy: Policy) -> None:
    """A canary at weight 1 beside two at weight 50 gets a hundredth of the calls, not none."""
    heavy = PickableInstance("a", weight=50), PickableInstance("b", weight=50)

    shares = picks(policy, *heavy, PickableInstance("canary"), number=10_000)

    assert 60 < shares["canary"] < 150


def test_p2c_gives_a_fast_canary_twice_its_share_at_most() -> None:
    """However fast a canary answers, its weight limits what is lost if the answers are wrong."""
    heavy, canary = PickableInstance("heavy", weight=19), PickableInstance("canary")
    heavy.load.observe(0.5, 0.0)

    assert 850 < picks(p2c_peak_ewma, heavy, canary, number=10_000)["canary"] < 1_100


@pytest.mark.parametrize(("in_flight", "share"), [(2, 15 / 16), (3, 9 / 16)])
def test_p2c_counts_calls_in_flight_by_weight(in_flight: int, share: float) -> None:
    """At weight 3, two in flight are less load than one at weight 1; three are more than none."""
    heavy, light = PickableInstance("heavy", weight=3), PickableInstance("light")
    heavy.load.in_flight = in_flight
    light.load.in_flight = 0 if in_flight > 2 else 1

    assert picks(p2c_peak_ewma, heavy, light)["heavy"] / 1000 == pytest.approx(share, abs=0.05)


def test_weighted_shares_by_weight() -> None:
    """With Consul's weights, 3 gets three calls where 1 gets one."""
    shares = picks(
        weighted, PickableInstance("heavy", weight=3), PickableInstance("light"), number=4000
    )

    assert 2850 < shares["heavy"] < 3150


def test_weight_nought_gets_nothing_while_there_is_another() -> None:
    """An operator takes an instance out of use by weight 0."""
    assert picks(weighted, PickableInstance("out", weight=0), PickableInstance("in")) == {
        "in": 1000
    }
    assert picks(weighted, PickableInstance("out", weight=0)) == {"out": 1000}


def test_pick_first_keeps_to_the_first() -> None:
    """The others are used only if the first can't be."""
    assert picks(pick_first, PickableInstance("a"), PickableInstance("b")) == {"a": 1000}


def test_a_cold_instance_counts_with_its_share() -> None:
    """Its weight counts as 10 % at first, as 50 % after 15 s, and in full after 30 s."""
    load = Load(0.0)
    slow_start.begin(load, 100.0)
    slow_start.begin(load, 120.0)

    shares = [slow_start.share(load, now_s) for now_s in (100.0, 102.0, 115.0, 130.0, 500.0)]

    assert shares == pytest.approx([0.1, 0.1, 0.5, 1.0, 1.0])


def cold_and_warm() -> tuple[PickableInstance, PickableInstance]:
    """One instance that begins at 100 s, and one that began long before."""
    cold, warm = PickableInstance("cold"), PickableInstance("warm")
    slow_start.begin(warm.load, 0.0)
    slow_start.begin(cold.load, 100.0)
    return cold, warm


@pytest.mark.parametrize(("now_s", "chosen"), [(102.0, "warm"), (116.0, "cold"), (131.0, "cold")])
def test_p2c_spares_a_cold_instance(now_s: float, chosen: str) -> None:
    """At a tenth of its weight it looks ten times as loaded; the warm one with
    1 in flight, twice.
    """
    cold, warm = cold_and_warm()
    warm.load.in_flight = 1
    pick = p2c_peak_ewma([cold, warm], random.Random(3))

    one = pick(now_s, ())
    assert one is not None
    assert one.name == chosen


@pytest.mark.parametrize(("now_s", "least", "most"), [(102.0, 0, 150), (131.0, 900, 1100)])
def test_weighted_spares_a_cold_instance(now_s: float, least: int, most: int) -> None:
    """At first it passes nine of ten draws on, some of them to itself."""
    cold, warm = cold_and_warm()
    pick = weighted([cold, warm], random.Random(3))

    taken = sum(pick(now_s, ()) is cold for _ in range(2000))
    assert least <= taken <= most * 1.3


def test_between_those_that_begin_together_nothing_is_weighed() -> None:
    """If all began within a second, slow start makes no difference."""
    loads = [Load(0.0) for _ in range(3)]
    for load, begin_s in zip(loads, (100.0, 100.5, 103.0), strict=True):
        slow_start.begin(load, begin_s)

    assert slow_start.until_s(loads[:2]) < 0
    assert slow_start.until_s(loads) == 133.0


def test_those_that_begin_together_share_alike() -> None:
    """A client that starts has no warmer instance."""
    candidates = [PickableInstance(name) for name in "ab"]
    for number, one in enumerate(candidates):
        slow_start.begin(one.load, 100.0 + number * 0.5)
    candidates[0].load.in_flight = 1
    for one in candidates:
        one.load.observe(1.0, 102.0)

    one = p2c_peak_ewma(candidates, random.Random(3))(102.0, ())
    assert one is candidates[1]
