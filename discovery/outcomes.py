"""How many attempts of the last 10 s failed: what ejection and the breaker judge by.

An exact window, not buckets: the few calls of a small service would fall into too few of them.
A success costs one append; old attempts are forgotten when somebody judges.
"""

from collections import deque

WINDOW_S = 10.0
# Above 1,000 attempts a second the newest are judged, so that memory stays bounded.
MAX_ATTEMPTS = 10_000


class Outcomes:
    """When the attempts of the window ended (monotonic seconds), and which of them failed.

    `calls` holds every attempt that tells something, `failures` those of them that failed. Who
    notes a success appends to `calls`.
    """

    __slots__ = ("calls", "failures")

    def __init__(self) -> None:
        self.calls: deque[float] = deque(maxlen=MAX_ATTEMPTS)
        self.failures: deque[float] = deque(maxlen=MAX_ATTEMPTS)

    def failed(self, now_s: float) -> None:
        """An attempt failed."""
        self.calls.append(now_s)
        self.failures.append(now_s)

    def forget_old(self, now_s: float) -> None:
        """Keep what ended within the last 10 s."""
        calls, failures = self.calls, self.failures
        while calls and calls[0] < now_s - WINDOW_S:
            calls.popleft()
        while failures and (not calls or failures[0] < calls[0]):
            failures.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self.calls.clear()
        self.failures.clear()
