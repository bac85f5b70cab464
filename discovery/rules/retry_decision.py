"""When a failed call is attempted again (gRFC A6): the rules of both drivers, which wait."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from discovery.rules import attempt_number
from discovery.rules.backoff import retry_delays
from discovery.rules.method import Method
from discovery.rules.method_latency import Latencies
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_policy import STOP_S, RetryPolicy, is_retriable, pushback_s


class Retries:
    """The retries of one call: after each failure, how long to wait, or that it was the last."""

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        safe: bool,
        budget: RetryBudget,
        rng: random.Random,
        latencies: Latencies | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._policy = policy
        self._safe = safe
        self._budget = budget
        self._rng = rng
        self._latencies = latencies
        self._throttle = throttle
        self._delays_s = self._backoff()
        self._made = 1

    def delay_s(
        self, error: grpc.aio.AioRpcError, *, now_s: float, deadline_s: float | None
    ) -> float | None:
        """Seconds to wait before the next attempt; None: there is none, raise the error.

        Taken in order: only the nearest layer retries; the number of attempts; safety and code;
        the throttle; the server's pushback, exact, after which the backoff starts over; an attempt
        that can't finish in what would remain (less than the p50) isn't made; the budget.
        """
        if attempt_number.current() or self._made >= self._policy.max_attempts:
            return None
        told_s = pushback_s(error.trailing_metadata())
        retriable = is_retriable(error, self._policy, safe=self._safe, pushback_s=told_s)
        if self._throttled(counts=retriable or told_s == STOP_S) or not retriable:
            return None
        if told_s is None:
            delay_s = next(self._delays_s)
        else:
            delay_s = told_s
            self._delays_s = self._backoff()
        if not self._can_finish(now_s, delay_s, deadline_s) or not self._budget.withdraw(now_s):
            return None
        self._made += 1
        return delay_s

    def _throttled(self, *, counts: bool) -> bool:
        if self._throttle is None:
            return False
        if counts:
            self._throttle.failed()
        return not self._throttle.allows

    def _can_finish(self, now_s: float, delay_s: float, deadline_s: float | None) -> bool:
        if deadline_s is None:
            return True
        remaining_s = deadline_s - now_s - delay_s
        usual_s = self._latencies.percentile(0.5, now_s=now_s) if self._latencies else None
        return remaining_s > 0 if usual_s is None else remaining_s >= usual_s

    def _backoff(self) -> Iterator[float]:
        policy = self._policy
        return retry_delays(
            self._rng,
            initial_s=policy.initial_backoff_s,
            ceiling_s=policy.max_backoff_s,
            multiplier=policy.backoff_multiplier,
        )


@dataclass(frozen=True, slots=True)
class Retrying:
    """What the retries of one channel share."""

    rng: random.Random
    budget: RetryBudget
    throttle: Throttle | None

    def of(self, method: Method) -> Retries:
        """The retries of one call of this method."""
        return Retries(
            method.retry,
            safe=method.safe,
            budget=self.budget,
            rng=self.rng,
            latencies=method.latencies,
            throttle=self.throttle,
        )

    def succeeded(self) -> None:
        """A call succeeded."""
        if self.throttle is not None:
            self.throttle.succeeded()
