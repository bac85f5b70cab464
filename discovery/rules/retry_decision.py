"""Decides when a failed call is attempted again (gRFC A6); the drivers do the waiting.

Whether a failure may be repeated at all is `retry_policy.is_retriable`.
"""

import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

import grpc

from discovery.errors import LocalRefusalError, NoInstanceError
from discovery.rules import attempt_number
from discovery.rules.backoff import retry_delays
from discovery.rules.failure_codes import is_unknown_method
from discovery.rules.method import Method
from discovery.rules.method_latency import Latencies
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_policy import STOP_S, RetryPolicy, is_retriable, pushback_s


class CallRetries:
    """The retries of one call: after each failure, the delay before the next attempt, if any."""

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        safe: bool,
        budget: RetryBudget,
        rng: random.Random,
        latencies: Latencies | None = None,
        throttle: Throttle | None = None,
        served_elsewhere: Callable[[Collection[object]], bool] | None = None,
    ) -> None:
        self._policy = policy
        self._safe = safe
        self._budget = budget
        self._rng = rng
        self._latencies = latencies
        self._throttle = throttle
        self._served_elsewhere = served_elsewhere
        self._delays_s = self._backoff()
        self._made = 1
        self._sent_failure: grpc.aio.AioRpcError | None = None

    def delay_s(
        self,
        error: grpc.aio.AioRpcError,
        *,
        now_s: float,
        deadline_s: float | None,
        tried: Collection[object] = (),
        was_sent: bool = True,
    ) -> float | None:
        """Seconds to wait before the next attempt; None: there is none, raise the error.

        The rules apply in this order:

        1. The method must be safe, or the attempt not sent, and the code retriable. If the instance
           doesn't know the method, nothing ran: any method is attempted again, at once, while
           another instance than those `tried` may serve it.
        2. The throttle must have tokens. As in C-core, every failure with a retriable code costs
           one, also that of the last attempt.
        3. Only the nearest layer retries.
        4. The policy limits the number of attempts.
        5. The server's pushback replaces the delay, and the backoff starts again.
        6. After the delay, the p50 of time must be left.
        7. The budget must pay.
        """
        if was_sent and not isinstance(error, NoInstanceError | LocalRefusalError):
            self._sent_failure = error
        asked_s = pushback_s(error.trailing_metadata())
        safe = self._safe or not was_sent
        retriable = is_retriable(error, self._policy, safe=safe, pushback_s=asked_s)
        elsewhere = not retriable and asked_s is None and self._is_elsewhere(error, tried)
        if self._throttled(counts=retriable or asked_s == STOP_S):
            return None
        if not retriable and not elsewhere:
            return None
        if attempt_number.current() or self._made >= self._policy.max_attempts:
            return None
        if elsewhere:
            delay_s = 0.0
        elif asked_s is None:
            delay_s = next(self._delays_s)
        else:
            delay_s = asked_s
            self._delays_s = self._backoff()
        if not self._can_finish(now_s, delay_s, deadline_s) or not self._budget.withdraw(now_s):
            return None
        self._made += 1
        return delay_s

    def final(self, error: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """The error that the call ends with when there is no attempt after this one's error.

        An attempt that wasn't sent says nothing about an earlier one that was, so the failure of
        that one is raised.
        """
        return error if self._sent_failure is None else self._sent_failure

    def _is_elsewhere(self, error: grpc.aio.AioRpcError, tried: Collection[object]) -> bool:
        """Whether the instance doesn't know the method, and another one may."""
        return (
            self._served_elsewhere is not None
            and is_unknown_method(error)
            and self._served_elsewhere(tried)
        )

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
class ChannelRetries:
    """What all retries of one channel share.

    `served_elsewhere`: whether an instance may serve a method that is not among those tried.
    """

    rng: random.Random
    budget: RetryBudget
    throttle: Throttle | None
    served_elsewhere: Callable[[Method, Collection[object]], bool] | None = None

    def of(self, method: Method) -> CallRetries:
        """The retries of one call of this method."""
        elsewhere = self.served_elsewhere
        return CallRetries(
            method.retry,
            safe=method.safe,
            budget=self.budget,
            rng=self.rng,
            latencies=method.latencies,
            throttle=self.throttle,
            served_elsewhere=elsewhere and partial(elsewhere, method),
        )

    def succeeded(self) -> None:
        """Count a call that succeeded."""
        if self.throttle is not None:
            self.throttle.succeeded()


def attempt_limit_s(policy: RetryPolicy, failed_before: int, *, safe: bool) -> float | None:
    """How long the next attempt may take before another one is made (gRFC A6's extension).

    None: as long as the call; so may the last attempt of a call, as in C-core.
    """
    if policy.attempt_timeout_s is None or not safe or attempt_number.current():
        return None
    is_last = failed_before + 1 >= policy.max_attempts
    return None if is_last else policy.attempt_timeout_s


def gave_up(limit_s: float) -> str:
    """The details of an attempt that was given up."""
    return f"no answer within the perAttemptRecvTimeout of {limit_s:g} s"
