"""Counts the attempts of the last 10 s and their failures, for ejection and the breaker.

The window is exact. Buckets would be too coarse for the few calls of a small service. A success
costs one append; old attempts are dropped when the counts are read.
"""

from collections import Counter, deque

WINDOW_S = 10.0
# Above 1,000 attempts a second only the newest are kept, so that memory stays bounded.
MAX_ATTEMPTS = 10_000


class Outcomes:
    """When the attempts of the window ended (monotonic seconds), and which of them failed.

    `calls` holds every attempt that counts, `failures` those of them that failed. To record a
    success, append to `calls`. `culprits` counts the failures by what caused them: an instance, or
    a code. `failed_from_s`: when the failed attempt began that began last. `most`: how many
    attempts are kept.
    """

    __slots__ = ("_culprits", "_most", "calls", "culprits", "failed_from_s", "failures")

    def __init__(self, most: int = MAX_ATTEMPTS) -> None:
        self._most = most
        self.calls: deque[float] = deque(maxlen=most)
        self.failures: deque[float] = deque()
        # The culprit of each failure, in the same order as `failures`.
        self._culprits: deque[object | None] = deque()
        self.culprits: Counter[object] = Counter()
        self.failed_from_s = float("-inf")

    def failed(
        self, now_s: float, culprit: object | None = None, *, began_s: float | None = None
    ) -> None:
        """Record a failed attempt; `culprit` caused it; without `began_s` it began now."""
        self.failed_from_s = max(self.failed_from_s, now_s if began_s is None else began_s)
        self.calls.append(now_s)
        self.failures.append(now_s)
        self._culprits.append(culprit)
        if culprit is not None:
            self.culprits[culprit] += 1
        if len(self.failures) > self._most:
            self._forget_failure()

    def forget_old(self, now_s: float) -> None:
        """Drop attempts that ended more than 10 s ago."""
        calls, failures = self.calls, self.failures
        while calls and calls[0] < now_s - WINDOW_S:
            calls.popleft()
        while failures and (not calls or failures[0] < calls[0]):
            self._forget_failure()

    def clear(self) -> None:
        """Drop all attempts."""
        self.calls.clear()
        self.failures.clear()
        self._culprits.clear()
        self.culprits.clear()

    def _forget_failure(self) -> None:
        self.failures.popleft()
        culprit = self._culprits.popleft()
        if culprit is not None:
            self.culprits[culprit] -= 1
            if not self.culprits[culprit]:
                del self.culprits[culprit]
