"""How loaded an instance is: peak EWMA of its latency, times what it has in flight.

An instance that owes answers has at least the latency of its silence: one that froze while the
others had just been slow would look the fastest until its calls run out of time.

Finagle's PeakEwma, with linkerd's seed and its view of failures: a failure that answers fast
must not look like a fast instance (kubernetes/ingress-nginx#9882).
"""

from math import exp

TAU_S = 10.0
SEED_S = 0.030
# A failure costs ten times what the instance usually takes, a second one in a row 5 s.
FIRST_FAILURE_FACTOR = 10.0
FAILURE_S = 5.0
# A latency that decayed for hours must still let the calls in flight count.
_FLOOR_S = 1e-6


class Load:
    """The load of one incarnation of one instance. Times are seconds on the monotonic clock.

    `warm_s` is when its slow start ends; None: it could not be picked yet.
    """

    __slots__ = (
        "_cost_s",
        "_due",
        "_silent_s",
        "_stamp_s",
        "failures_in_row",
        "in_flight",
        "warm_s",
    )

    def __init__(self, now_s: float) -> None:
        self.in_flight = 0
        self.failures_in_row = 0
        self.warm_s: float | None = None
        self._cost_s = SEED_S
        self._stamp_s = now_s
        self._due = 0
        self._silent_s = now_s

    def begin(self, now_s: float, *, due: bool) -> None:
        """A call is in flight; `due`: it waits for nothing but the instance's answer."""
        self.in_flight += 1
        if due:
            if not self._due:
                self._silent_s = now_s
            self._due += 1

    def end(self, *, due: bool) -> None:
        """The call has ended, however it did."""
        self.in_flight -= 1
        self._due -= due

    def latency_s(self, now_s: float) -> float:
        """The peak EWMA: what was observed last, decayed by exp(-dt / tau) since."""
        return self._cost_s * exp((self._stamp_s - now_s) / TAU_S)

    def value(self, now_s: float) -> float:
        """Latency x (in flight + 1); the lower one is picked.

        While an answer is due, the latency is no less than the time since the last observation.
        """
        # `latency_s`, without the call: this runs twice for each pick.
        latency_s = self._cost_s * exp((self._stamp_s - now_s) / TAU_S)
        if self._due and now_s - self._silent_s > latency_s:
            latency_s = now_s - self._silent_s
        return (latency_s + _FLOOR_S) * (self.in_flight + 1)

    def observe(self, latency_s: float, now_s: float) -> None:
        """A higher latency counts at once, a lower one moves the average by 1 - exp(-dt / tau)."""
        weight = exp((self._stamp_s - now_s) / TAU_S)
        decayed_s = self._cost_s * weight
        if latency_s > decayed_s:
            self._cost_s = latency_s
        else:
            self._cost_s = decayed_s + latency_s * (1.0 - weight)
        self._stamp_s = self._silent_s = now_s

    def failed(self, latency_s: float, now_s: float, *, pushback_s: float | None = None) -> None:
        """The first failure observes 10 x the own average; the next, or one with pushback, 5 s.

        A success in between sets `failures_in_row` back to 0.
        """
        self.failures_in_row += 1
        if pushback_s is not None or self.failures_in_row > 1:
            penalty_s = max(FAILURE_S, pushback_s or 0.0)
        else:
            penalty_s = FIRST_FAILURE_FACTOR * self.latency_s(now_s)
        self.observe(max(penalty_s, latency_s), now_s)

    def pushed_back(self, pushback_s: float, now_s: float) -> None:
        """It sheds load and says for how long: that costs max(5 s, pushback), but is no failure."""
        self.observe(max(FAILURE_S, pushback_s), now_s)
