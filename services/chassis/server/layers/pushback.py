"""When a refused caller shall come back: not before a place can be free for it.

Refused callers get the next free instants of a virtual line, which moves as fast as places became
free in the last second; so the more are refused, the later the next one is told to come, and they
don't come back together. Nobody is kept in the line: who goes elsewhere just isn't there.
"""

LEAST_S = 0.1
MOST_S = 5.0
_MEASURED_EVERY_S = 1.0
# After such a lull the last second says nothing of this one.
_STALE_S = 2.0


class Pushback:
    """The line of one server. Times are monotonic seconds."""

    __slots__ = ("_measured_s", "_next_s", "_per_s", "freed")

    def __init__(self) -> None:
        # Counted by whoever frees a place: one addition for each call.
        self.freed = 0
        self._per_s = 0.0
        self._measured_s = float("-inf")
        self._next_s = float("-inf")

    def refused(self, now_s: float) -> float:
        """One more caller is refused; seconds until it may come back, 0.1 to 5."""
        self._measure(now_s)
        if self._per_s:
            self._next_s = max(self._next_s, now_s) + 1.0 / self._per_s
        wait_s = min(max(self._next_s - now_s, LEAST_S), MOST_S)
        self._next_s = min(self._next_s, now_s + MOST_S)
        return wait_s

    def _measure(self, now_s: float) -> None:
        """Once a second: how many places became free. Unknown at first, and after a lull."""
        elapsed_s = now_s - self._measured_s
        if elapsed_s >= _MEASURED_EVERY_S:
            self._per_s = self.freed / elapsed_s if elapsed_s < _STALE_S else 0.0
            self.freed = 0
            self._measured_s = now_s
