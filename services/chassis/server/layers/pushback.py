"""Computes how long a refused caller should wait: until a slot can be free for it.

Each refused caller gets the next instant of a virtual queue, which advances as fast as slots became
free in the last second. So the more callers are refused, the longer the next one waits, and they do
not all come back together. The queue holds no callers: one that goes to another instance is simply
missing when its turn comes.
"""

LEAST_S = 0.1
MOST_S = 5.0
_MEASURED_EVERY_S = 1.0
# After so long a pause the last measurement no longer counts.
_STALE_S = 2.0


class Pushback:
    """The virtual queue of one server. Times are monotonic seconds."""

    __slots__ = ("_measured_s", "_next_s", "_per_s", "freed")

    def __init__(self) -> None:
        # The admission layer counts here, one addition for each call.
        self.freed = 0
        self._per_s = 0.0
        self._measured_s = float("-inf")
        self._next_s = float("-inf")

    def refused(self, now_s: float) -> float:
        """Count a refused caller; returns the seconds until it may come back, 0.1 to 5."""
        self._measure(now_s)
        if self._per_s:
            self._next_s = max(self._next_s, now_s) + 1.0 / self._per_s
        wait_s = min(max(self._next_s - now_s, LEAST_S), MOST_S)
        self._next_s = min(self._next_s, now_s + MOST_S)
        return wait_s

    def _measure(self, now_s: float) -> None:
        """Measure once a second how many slots became free; unknown at first and after a pause."""
        elapsed_s = now_s - self._measured_s
        if elapsed_s >= _MEASURED_EVERY_S:
            self._per_s = self.freed / elapsed_s if elapsed_s < _STALE_S else 0.0
            self.freed = 0
            self._measured_s = now_s
