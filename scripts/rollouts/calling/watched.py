"""Which instances are compared, and who is told of the attempts on them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.rollouts.verdict.attempt import Arm, Attempt


def _ignore(_: Attempt) -> None:
    """Before a rollout begins, nobody asks."""


@dataclass(slots=True)
class Watched:
    """The arms of instances, by id and by endpoint; `take` gets each attempt on one of them."""

    by_id: dict[str, Arm] = field(default_factory=dict)
    by_endpoint: dict[str, Arm] = field(default_factory=dict)
    take: Callable[[Attempt], None] = _ignore
