"""Which faults disruption a suite, and when: the same seed makes the same plan.

    kill       SIGKILL for one random instance of each service at once, started again in its slot
    consul     the agent dies and comes back on its ports with nothing remembered
    drain      every instance leaves by SIGTERM and is replaced, one of each service at a time
    rewind     every consumer of every service is put back to the beginning of its feed

Together, Consul goes away, and consumers are put back, in the middle of a kill or a drain. What the
suite promises to survive is one instance of a service at a time, so a disruption waits until the
one before is over.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

KILL_ROUNDS = 2
CONSUL_ROUNDS = 2
REWIND_ROUNDS = 2
DOWN_MIN_S = 0.2
DOWN_MAX_S = 1.5
CONSUL_DOWN_MAX_S = 4.0
# In the middle of a disruption's orders, so that there are calls to break.
SHARE_MIN = 0.1
SHARE_MAX = 0.6


class Fault(StrEnum):
    """What can happen; the value names it in the report."""

    KILL = "instances killed"
    CONSUL = "Consul restarts"
    DRAIN = "instances drained"
    REWIND = "consumers rewound"


@dataclass(frozen=True, slots=True)
class Disruption:
    """Faults that begin at one moment, by the names of slots.

    It begins once `at_share` of its portion of the orders are settled. What was killed stays down
    for `down_s`, Consul for `consul_down_s` (None: it isn't touched). Where it is `rewound`, all
    consumers are.
    """

    at_share: float
    killed: tuple[str, ...] = ()
    drained: tuple[str, ...] = ()
    down_s: float = 0.0
    consul_down_s: float | None = None
    rewound: bool = False


def plan(
    faults: Collection[Fault], slots: Mapping[str, Sequence[str]], rng: random.Random
) -> tuple[Disruption, ...]:
    """The disruptions in their order. `slots` names the slots of each service, as many of each."""
    disruptions: list[Disruption] = []
    if Fault.KILL in faults:
        disruptions += [_kill(slots, rng) for _ in range(KILL_ROUNDS)]
    if Fault.DRAIN in faults:
        rounds = zip(*slots.values(), strict=True)
        disruptions += [Disruption(at_share=_share(rng), drained=names) for names in rounds]
    rng.shuffle(disruptions)
    if Fault.CONSUL in faults:
        disruptions = disruptions or [
            Disruption(at_share=_share(rng)) for _ in range(CONSUL_ROUNDS)
        ]
        for index in rng.sample(range(len(disruptions)), CONSUL_ROUNDS):
            down_s = rng.uniform(DOWN_MIN_S, CONSUL_DOWN_MAX_S)
            disruptions[index] = replace(disruptions[index], consul_down_s=down_s)
    if Fault.REWIND in faults:
        disruptions = disruptions or [
            Disruption(at_share=_share(rng)) for _ in range(REWIND_ROUNDS)
        ]
        for index in rng.sample(range(len(disruptions)), REWIND_ROUNDS):
            disruptions[index] = replace(disruptions[index], rewound=True)
    return tuple(disruptions)


def _kill(slots: Mapping[str, Sequence[str]], rng: random.Random) -> Disruption:
    return Disruption(
        at_share=_share(rng),
        killed=tuple(rng.choice(names) for names in slots.values()),
        down_s=rng.uniform(DOWN_MIN_S, DOWN_MAX_S),
    )


def _share(rng: random.Random) -> float:
    return rng.uniform(SHARE_MIN, SHARE_MAX)
