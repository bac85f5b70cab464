"""How many attempts of the last 10 s failed: what ejection and the breaker judge by.

An exact window, not buckets: the few calls of a small service would fall into too few of them.
A success costs one append; old attempts are forgotten when somebody judges.
"""

from collections import Counter, deque

WINDOW_S = 10.0
# Above 1,000 attempts a second the newest are judged, so that memory stays bounded.
MAX_ATTEMPTS = 10_000


class Outcomes:
    """When the attempts of the window ended (monotonic seconds), and which of them failed.

    `calls` holds every attempt that tells something, `failures` those of them that failed. Who
    notes a success appends to `calls`.
    """

    __slots__ = ("_culprits", "calls", "culprits", "failures")

    def __init__(self) -> None:
        self.calls: deque[float] = deque(maxlen=MAX_ATTEMPTS)
        self.failures: deque[float] = deque()
        # Whose failures they are, in the same order, and how many are whose.
        self._culprits: deque[object | None] = deque()
        self.culprits: Counter[object] = Counter()

    def failed(self, now_s: float, culprit: object | None = None) -> None:
        """An attempt failed, at `culprit` where it got so far."""
        self.calls.append(now_s)
        self.failures.append(now_s)
        self._culprits.append(culprit)
        if culprit is not None:
            self.culprits[culprit] += 1
        if len(self.failures) > MAX_ATTEMPTS:
            self._forget_failure()

    def forget_old(self, now_s: float) -> None:
        """Keep what ended within the last 10 s."""
        calls, failures = self.calls, self.failures
        while calls and calls[0] < now_s - WINDOW_S:
            calls.popleft()
        while failures and (not calls or failures[0] < calls[0]):
            self._forget_failure()

    def clear(self) -> None:
        """Forget everything."""
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
