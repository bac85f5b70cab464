"""Puts each attempt of the canary beside attempts of the baseline of the same method and time."""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts.rollouts.verdict.attempt import Arm, Attempt

# How many attempts of the baseline one of the canary is compared with, where there are so many.
# Each of them makes one failure of the canary stronger evidence: 3 failures, not 5, reach 0.04.
PEERS = 4
# Canary attempts that wait for so many peers. If more wait, the baseline gets fewer calls, and
# those that there are must do.
_MOST_WAITING = 3
# Attempts of the baseline that wait; the oldest are dropped, since what is compared is of one time.
_MOST_UNMATCHED = 8


@dataclass(frozen=True, slots=True)
class Block:
    """An attempt of the canary, and at least one of the baseline.

    If the versions are equally good, each of these attempts could as well be the canary's.
    """

    canary: Attempt
    baseline: tuple[Attempt, ...]


@dataclass(slots=True)
class _Unmatched:
    canary: deque[Attempt] = field(default_factory=deque)
    baseline: deque[Attempt] = field(default_factory=lambda: deque(maxlen=_MOST_UNMATCHED))


class Matcher:
    """Makes blocks. Every attempt is in one block at most.

    How large a block is depends on how many attempts there are, never on how they ended.
    """

    def __init__(self) -> None:
        self._methods: defaultdict[str, _Unmatched] = defaultdict(_Unmatched)

    def add(self, attempt: Attempt) -> Iterator[Block]:
        """Take an attempt; yield the blocks that are complete with it."""
        unmatched = self._methods[attempt.method]
        waiting, peers = unmatched.canary, unmatched.baseline
        (waiting if attempt.arm is Arm.CANARY else peers).append(attempt)
        while waiting and (len(peers) >= PEERS or (peers and len(waiting) > _MOST_WAITING)):
            number = min(PEERS, len(peers))
            yield Block(waiting.popleft(), tuple(peers.popleft() for _ in range(number)))
