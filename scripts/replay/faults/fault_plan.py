"""Plans the faults of a replay by seed: what breaks, and when.

    kill       SIGKILL for one random instance of each service at once; each is started again
    consul     the agent is killed and comes back on its ports without its registrations
    drain      every instance is drained by SIGTERM and replaced, one of each service at a time
    rewind     every consumer of every service is rewound to the beginning of its feed
    edge       SIGKILL for Envoy, which the edge starts again, and once for the edge with its Envoy

When several are asked for, what isn't a kill or a drain happens during one. The suite
promises to survive the loss of one instance of each service at a time, so a disruption waits until
the one before it is over.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from scripts.suite.processes.slot import Programs

KILL_ROUNDS = 2
CONSUL_ROUNDS = 2
REWIND_ROUNDS = 2
EDGE_ROUNDS = 2
DOWN_MIN_S = 0.2
DOWN_MAX_S = 1.5
CONSUL_DOWN_MAX_S = 4.0
# A disruption begins in the middle of its orders, so that calls are under way.
SHARE_MIN = 0.1
SHARE_MAX = 0.6


class Fault(StrEnum):
    """A kind of fault; the value is its name in the report."""

    KILL = "instances killed"
    CONSUL = "Consul restarts"
    DRAIN = "instances drained"
    REWIND = "consumers rewound"
    EDGE = "edge processes killed"


class EdgeProcess(StrEnum):
    """A process of the edge."""

    ENVOY = "Envoy"
    CONTROL_PLANE = "the edge's control plane, and Envoy with it"


@dataclass(frozen=True, slots=True)
class Disruption:
    """Faults that begin at one moment; instances are given by the names of their slots.

    It begins once `at_share` of its portion of the orders are settled. Killed instances stay down
    for `down_s`, Consul for `consul_down_s` (None: Consul isn't restarted). With `rewound` all
    consumers are rewound. Of the edge `edge_killed` is killed. Drained instances start again with
    the code of `replaced_by`, or with their own.
    """

    at_share: float
    killed: tuple[str, ...] = ()
    drained: tuple[str, ...] = ()
    down_s: float = 0.0
    consul_down_s: float | None = None
    rewound: bool = False
    edge_killed: EdgeProcess | None = None
    replaced_by: Programs | None = None


def plan_faults(
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
        disruptions = disruptions or _without_faults(CONSUL_ROUNDS, rng)
        for index in rng.sample(range(len(disruptions)), CONSUL_ROUNDS):
            down_s = rng.uniform(DOWN_MIN_S, CONSUL_DOWN_MAX_S)
            disruptions[index] = replace(disruptions[index], consul_down_s=down_s)
    if Fault.REWIND in faults:
        disruptions = disruptions or _without_faults(REWIND_ROUNDS, rng)
        for index in rng.sample(range(len(disruptions)), REWIND_ROUNDS):
            disruptions[index] = replace(disruptions[index], rewound=True)
    if Fault.EDGE in faults:
        disruptions = disruptions or _without_faults(EDGE_ROUNDS, rng)
        among = rng.sample(range(len(disruptions)), EDGE_ROUNDS)
        for index, process in zip(among, EdgeProcess, strict=True):
            disruptions[index] = replace(disruptions[index], edge_killed=process)
    return tuple(disruptions)


def plan_roll(
    slots: Sequence[str], programs: Programs, rng: random.Random
) -> tuple[Disruption, ...]:
    """Replace the instances one by one by the code of `programs`, in an order by seed.

    So the services run in many mixes of both versions, also those that no rollout plans.
    """
    return tuple(
        Disruption(at_share=_share(rng), drained=(name,), replaced_by=programs)
        for name in rng.sample(slots, len(slots))
    )


def _without_faults(number: int, rng: random.Random) -> list[Disruption]:
    """Disruptions to which a fault is then added."""
    return [Disruption(at_share=_share(rng)) for _ in range(number)]


def _kill(slots: Mapping[str, Sequence[str]], rng: random.Random) -> Disruption:
    return Disruption(
        at_share=_share(rng),
        killed=tuple(rng.choice(names) for names in slots.values()),
        down_s=rng.uniform(DOWN_MIN_S, DOWN_MAX_S),
    )


def _share(rng: random.Random) -> float:
    return rng.uniform(SHARE_MIN, SHARE_MAX)
