"""How many calls the canary, the baseline and the old instances get, as weights of the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.rollouts.verdict.matching import PEERS

# A new instance registers itself with weight 1, so beside these it gets next to nothing until its
# weight is set. Consul's largest weight is 65,535.
SCALE = 10_000


@dataclass(frozen=True, slots=True)
class RolloutInstances:
    """The ids of the instances: the old ones, and two that were started for the rollout.

    `baseline` runs the old version, and is as young as `canary`, which runs the new one. Beside
    an instance that has served for weeks, every new process looks slow.
    """

    old: Sequence[str]
    baseline: str
    canary: str


def weights(instances: RolloutInstances, share: float) -> Mapping[str, int]:
    """The weights with which the canary gets this share of the calls.

    The baseline gets as many times more as an attempt of the canary has peers, as long as the old
    instances keep half of what is left.
    """
    baseline = min(PEERS * share, (1 - share) / 2)
    rest = (1 - share - baseline) / len(instances.old)
    shares = {
        instances.canary: share,
        instances.baseline: baseline,
        **dict.fromkeys(instances.old, rest),
    }
    return {name: max(1, round(each * SCALE)) for name, each in shares.items()}
