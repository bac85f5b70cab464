"""An equation that is always being fulfilled: two sides that see the same things at other times."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

# Work that is under way makes the sides differ for a moment. What differs for longer is a fault.
GRACE = timedelta(seconds=60)
_EXAMPLES = 5


@dataclass(slots=True)
class Balance:
    """Two sums, of things or (with `is_money`) of minor units, that must become equal for each key.

    Only the keys whose sides differ are kept, so memory grows with what is under way, not with
    what ever happened.
    """

    name: str
    left_name: str
    right_name: str
    is_money: bool = False
    grace: timedelta = GRACE
    left: int = 0
    right: int = 0
    _open: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    def add_left(self, key: str, amount: int, now: datetime) -> None:
        """The left side saw `amount` of a key."""
        self.left += amount
        self._differ(key, amount, now)

    def add_right(self, key: str, amount: int, now: datetime) -> None:
        """The right side saw `amount` of a key."""
        self.right += amount
        self._differ(key, -amount, now)

    def state(self, now: datetime) -> "BalanceState":
        """How many keys differ, and for how many that is a fault."""
        late = sorted(key for key, (_, since) in self._open.items() if now - since > self.grace)
        return BalanceState(len(self._open), len(late), tuple(late[:_EXAMPLES]))

    def _differ(self, key: str, amount: int, now: datetime) -> None:
        difference, since = self._open.get(key, (0, now))
        difference += amount
        if difference:
            self._open[key] = (difference, since)
        else:
            self._open.pop(key, None)


@dataclass(frozen=True, slots=True)
class BalanceState:
    """`differing` keys differ now, `late` of them for too long; some of those are `examples`."""

    differing: int
    late: int
    examples: tuple[str, ...]

    @classmethod
    def of_faults(cls, keys: Iterable[str]) -> Self:
        """The state of keys that are wrong without a grace period."""
        wrong = tuple(sorted(keys))
        return cls(len(wrong), len(wrong), wrong[:_EXAMPLES])

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.late


@dataclass(frozen=True, slots=True)
class Finding:
    """A check of one list: `state` counts what is wrong in it, `text` says how much was looked at.

    It can be judged once the sources whose names begin with `source` were read.
    """

    name: str
    text: str
    state: BalanceState
    source: str
