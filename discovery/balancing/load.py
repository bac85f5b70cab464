"""The load of an instance: the peak EWMA of its latency, times its calls in flight.

While a call is unanswered, the time since the last observation counts as latency, so that an
instance that froze isn't picked as the fastest until its calls run out of time.

The formula is Finagle's PeakEwma, with linkerd's seed and its treatment of failures: an instance
that fails fast must not look fast (kubernetes/ingress-nginx#9882).
"""

from math import exp

from discovery.balancing.settings import DEFAULT_SLOW_START

TAU_S = 10.0
SEED_S = 0.030
# A failure counts as ten times the usual latency, a second one in a row as 5 s.
FIRST_FAILURE_FACTOR = 10.0
FAILURE_S = 5.0
# Keeps the calls in flight significant after the latency has decayed for hours.
_FLOOR_S = 1e-6


class Load:
    """The load of one incarnation of one instance. Times are seconds on the monotonic clock.

    `warm_s` is when its slow start ends; None: it was never usable yet, or has no slow start.
    """

    __slots__ = (
        "_cost_s",
        "_due",
        "_silent_s",
        "_stamp_s",
        "failures_in_row",
        "in_flight",
        "slow_start",
        "warm_s",
    )

    def __init__(self, now_s: float) -> None:
        self.in_flight = 0
        self.failures_in_row = 0
        self.warm_s: float | None = None
        self.slow_start = DEFAULT_SLOW_START
        self._cost_s = SEED_S
        self._stamp_s = now_s
        self._due = 0
        self._silent_s = now_s

    def begin(self, now_s: float, *, due: bool) -> None:
        """Count a call in flight; `due`: it waits for the instance alone, so its wait counts."""
        self.in_flight += 1
        if due:
            if not self._due:
                self._silent_s = now_s
            self._due += 1

    def end(self, *, due: bool) -> None:
        """Count a call as ended, with any outcome; `due` as it began."""
        self.in_flight -= 1
        self._due -= due

    def latency_s(self, now_s: float) -> float:
        """The peak EWMA in seconds: the last value, decayed by exp(-dt / tau) since."""
        return self._cost_s * exp((self._stamp_s - now_s) / TAU_S)

    def value(self, now_s: float) -> float:
        """Latency x (in flight + 1); the instance with the lower value is picked.

        While a `due` call is unanswered, latency is at least the time since the last observation.
        """
        # The formula of `latency_s` without the method call: this runs twice for each pick.
        latency_s = self._cost_s * exp((self._stamp_s - now_s) / TAU_S)
        if self._due and now_s - self._silent_s > latency_s:
            latency_s = now_s - self._silent_s
        return (latency_s + _FLOOR_S) * (self.in_flight + 1)

    def observe(self, latency_s: float, now_s: float) -> None:
        """A higher latency replaces the average, a lower one moves it by 1 - exp(-dt / tau)."""
        weight = exp((self._stamp_s - now_s) / TAU_S)
        decayed_s = self._cost_s * weight
        if latency_s > decayed_s:
            self._cost_s = latency_s
        else:
            self._cost_s = decayed_s + latency_s * (1.0 - weight)
        self._stamp_s = self._silent_s = now_s

    def failed(self, latency_s: float, now_s: float, *, pushback_s: float | None = None) -> None:
        """Observe a failure: 10 x the average; the second in a row, or with pushback, 5 s.

        A pushback above 5 s counts in full. Reset `failures_in_row` to 0 after a success.
        """
        self.failures_in_row += 1
        if pushback_s is not None or self.failures_in_row > 1:
            penalty_s = max(FAILURE_S, pushback_s or 0.0)
        else:
            penalty_s = FIRST_FAILURE_FACTOR * self.latency_s(now_s)
        self.observe(max(penalty_s, latency_s), now_s)

    def faulted(self, latency_s: float, now_s: float, *, pushback_s: float | None = None) -> None:
        """Observe an application's error: 10 x the average, at most 5 s; with pushback as `failed`.

        It is no failure in a row, since the instance is there and answers.
        """
        if pushback_s is None:
            penalty_s = min(FIRST_FAILURE_FACTOR * self.latency_s(now_s), FAILURE_S)
        else:
            penalty_s = max(FAILURE_S, pushback_s)
        self.observe(max(penalty_s, latency_s), now_s)

    def pushed_back(self, pushback_s: float, now_s: float) -> None:
        """Observe max(5 s, pushback): the instance sheds load, which is no failure in a row."""
        self.observe(max(FAILURE_S, pushback_s), now_s)
