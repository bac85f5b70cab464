"""Decides when a second attempt is sent in parallel with a slow first one, and which answer counts.

Only for methods whose service config has a hedgingPolicy and whose contract says that they are
safe. The second attempt is sent after the method's p95 of the last 10 s if all of this holds: there
is a p95, the shared budget pays for it without its reserve, no layer above retries already, and
there is another instance. The loser is cancelled. Its elapsed time counts as its latency; otherwise
a slow instance that always loses would never look slow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from discovery.call.call_state import CallState
from discovery.rules import attempt_number
from discovery.rules.hedging_policy import DELAY_PERCENTILE, HedgingPolicy
from discovery.rules.method_latency import Latencies
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_policy import STOP_S, pushback_s

# Computing a percentile sorts its samples, so a result is used for this long.
_DELAY_HOLDS_S = 0.1

SentT = TypeVar("SentT")


@dataclass(frozen=True, slots=True)
class HedgeLimits:
    """Budget and throttle of the hedges of one channel."""

    budget: RetryBudget
    throttle: Throttle | None

    def second(self, call: CallState, now_s: float) -> CallState | None:
        """Return a second attempt for another instance; None: it may not be sent now."""
        return call.hedge(now_s) if self._allows(now_s) else None

    def send(self, below: Callable[[CallState], SentT], second: CallState) -> SentT | None:
        """Send the second attempt and charge the budget for it.

        Returns None if there is no other instance or a layer refuses it.
        """
        try:
            sent = below(second)
        except grpc.RpcError:
            return None
        self.budget.withdraw(second.now_s, reserve=False)
        return sent

    def _allows(self, now_s: float) -> bool:
        if self.throttle is not None and not self.throttle.allows:
            return False
        return self.budget.pays(now_s, reserve=False)


class Delay:
    """How long the first attempt of a method runs before a second one is sent."""

    def __init__(self, latencies: Latencies, policy: HedgingPolicy) -> None:
        self._latencies = latencies
        self._policy = policy
        self._delay_s: float | None = None
        self._holds_until_s = float("-inf")

    def of(self, call: CallState) -> float | None:
        """Return the delay in seconds.

        None: don't hedge this call, because there is no p95, too little time is left, or a layer
        above retries.
        """
        now_s = call.now_s
        if now_s >= self._holds_until_s:
            usual_s = self._latencies.percentile(DELAY_PERCENTILE, now_s=now_s)
            self._delay_s = None if usual_s is None else max(usual_s, self._policy.least_delay_s)
            self._holds_until_s = now_s + _DELAY_HOLDS_S
        delay_s = self._delay_s
        if delay_s is None or attempt_number.current():
            return None
        if call.deadline_s is not None and now_s + delay_s >= call.deadline_s:
            return None
        return delay_s


class Race:
    """The two attempts of one hedged call, until the first OK."""

    def __init__(self, policy: HedgingPolicy, first: CallState, second: CallState) -> None:
        self._non_fatal = policy.non_fatal
        self._runners = (first, second)
        self._failures: list[Any] = []

    def failed(self, error: BaseException) -> None:
        """Record a failed attempt. Raises the error if it is fatal, so that it ends the call."""
        code = error.code() if isinstance(error, grpc.RpcError) else None
        if code not in self._non_fatal:
            raise error
        self._failures.append(error)

    def won(self, winner: CallState, now_s: float) -> None:
        """Continue with the winner and cancel the other, which took at least this long."""
        first = self._runners[0]
        self.stop(winner)
        for loser in self._runners:
            if loser is not winner and loser.subchannel is not None:
                load, took_s = loser.subchannel.load, now_s - loser.now_s
                if took_s > load.latency_s(now_s):
                    load.observe(took_s, now_s)
        first.take_over(winner)

    def stop(self, winner: CallState | None = None) -> None:
        """Cancel every attempt except the winner."""
        for runner in self._runners:
            if runner is not winner and runner.attempt is not None:
                runner.attempt.cancel()

    def lost(self) -> Any:
        """Return the error of a call whose attempts both failed.

        It is the last one, unless one of them carries the pushback "don't try again", which the
        retry layer must see.
        """
        first, second = self._runners
        first.count_failed_hedge(second)
        stops = [one for one in self._failures if pushback_s(one.trailing_metadata()) == STOP_S]
        return (stops or self._failures)[-1]
