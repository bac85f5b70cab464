"""Which attempts are compared with each other."""

import random

from scripts.rollouts.verdict.attempt import Arm, Attempt
from scripts.rollouts.verdict.matching import PEERS, Block, Matcher


def attempt(arm: Arm, method: str = "GetOrder", *, failed: bool = False) -> Attempt:
    """An attempt whose latency is of no interest."""
    return Attempt(arm, method, failed, 0.01, 0.0)


def blocks(*attempts: Attempt) -> list[Block]:
    """The blocks that a matcher makes of attempts that end in this order."""
    matcher = Matcher()
    return [block for each in attempts for block in matcher.add(each)]


def test_a_call_of_the_canary_waits_for_its_peers() -> None:
    """A block has as many attempts of the baseline as make a failure strong evidence."""
    canary, peer = attempt(Arm.CANARY), attempt(Arm.BASELINE)

    assert blocks(canary, *[peer] * (PEERS - 1)) == []
    assert blocks(canary, *[peer] * PEERS) == [Block(canary, (peer,) * PEERS)]
    assert blocks(*[peer] * PEERS, canary) == [Block(canary, (peer,) * PEERS)]


def test_only_calls_of_one_method_are_compared() -> None:
    """CreateOrder takes longer than GetOrder in every version."""
    canary = attempt(Arm.CANARY, "CreateOrder")

    assert blocks(canary, *[attempt(Arm.BASELINE)] * PEERS) == []


def test_where_the_baseline_gets_few_calls_few_peers_must_do() -> None:
    """In a late step the canary gets more calls than the baseline; its verdict doesn't stop."""
    canary, peer = attempt(Arm.CANARY), attempt(Arm.BASELINE)

    made = blocks(*[canary] * 20, *[peer] * 10)

    assert len(made) == 10
    assert {len(block.baseline) for block in made} == {1}


def test_no_attempt_is_compared_twice() -> None:
    """Blocks that shared an attempt would count its evidence twice."""
    rng = random.Random(5)
    attempts = [
        Attempt(rng.choice(list(Arm)), rng.choice("ab"), rng.random() < 0.5, float(number), 0.0)
        for number in range(2_000)
    ]

    used = [
        each.latency_s for block in blocks(*attempts) for each in (block.canary, *block.baseline)
    ]

    assert len(used) == len(set(used)) > 1_000


def test_how_an_attempt_ended_decides_nothing() -> None:
    """If failures were matched otherwise than successes, the test would see a difference."""
    rng = random.Random(6)
    arms = [rng.choice(list(Arm)) for _ in range(500)]

    sizes = [
        [
            len(block.baseline)
            for block in blocks(*(attempt(arm, failed=rng.random() < failing) for arm in arms))
        ]
        for failing in (0.0, 0.9)
    ]

    assert sizes[0] == sizes[1]
