"""Refuses calls of a method that fails at every instance, so that they cost the service nothing.

This is the client throttle of Google's SRE book ("Handling Overload"), for each method of a
service; ejection deals with a single bad instance. It counts the attempts of the last 10 s,
including those that it refused itself. From 20 attempts on:

    chance of a refusal = min(0.9, (requests - K x accepted) / (requests + 1)), K = 2

- Only signs of overload or absence are failures: UNAVAILABLE, DEADLINE_EXCEEDED and
  RESOURCE_EXHAUSTED. Any other status is an answer of the application, and so is accepted.
- While half of the attempts are accepted, nothing is refused.
- If nothing is accepted, one attempt in ten is still sent, and at least one a second.
- If all failures are of one instance and others accept, nothing is refused: an instance that hangs
  fails many calls at once, and their retries must get through.
- All attempts that one lost connection takes with it are one failure, for the same reason
  (`discovery.balancing.attempt_outcome`).
- From the first success on, the chance sinks to 0 within a second, unless an attempt fails that
  began after that success. After 20 attempts without such a failure the outage is forgotten.
"""

import logging
import random
from collections import deque
from dataclasses import dataclass

import grpc

from discovery.errors import LocalRefusalError, RefusalReason
from discovery.rules.failure_codes import OVERLOAD
from discovery.rules.method import Method
from discovery.rules.outcome_window import MAX_ATTEMPTS, WINDOW_S, Outcomes

logger = logging.getLogger(__name__)

RECOVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """The numbers of the formula, and which status codes are failures."""

    k: float = 2.0
    least_calls: int = 20
    most_refused: float = 0.9
    probe_every_s: float = 1.0
    codes: frozenset[grpc.StatusCode] = OVERLOAD


DEFAULT_BREAKER = BreakerSettings()


class Breaker:
    """Decides whether attempts of one method are sent, from the outcomes of earlier ones."""

    def __init__(
        self,
        path: str,
        outcomes: Outcomes,
        rng: random.Random,
        settings: BreakerSettings = DEFAULT_BREAKER,
    ) -> None:
        self._path = path
        self._outcomes = outcomes
        self._rng = rng
        self._settings = settings
        self._refused: deque[float] = deque(maxlen=MAX_ATTEMPTS)
        self._tried_s = float("-inf")
        # Since when attempts succeed again; None: they don't.
        self._well_since_s: float | None = None
        self.refusing = False

    def refuses(self, now_s: float) -> bool:
        """Decide whether to refuse an attempt now; a refused one counts as not accepted."""
        requests, accepted = self.counts(now_s)
        chance = self._chance(requests, accepted)
        if chance > 0:
            chance *= self._not_recovered(now_s)
        self._log_change(refusing=chance > 0, requests=requests, accepted=accepted)
        due = now_s - self._tried_s >= self._settings.probe_every_s
        if due or self._rng.random() >= min(chance, self._settings.most_refused):
            self._tried_s = now_s
            return False
        self._refused.append(now_s)
        return True

    def _chance(self, requests: int, accepted: int) -> float:
        if requests < self._settings.least_calls or not self._outcomes.failures:
            return 0.0
        if accepted and len(self._outcomes.culprits) == 1:
            return 0.0
        return (requests - self._settings.k * accepted) / (requests + 1)

    def _not_recovered(self, now_s: float) -> float:
        """From 1 down to 0 within a second of the first success after the last failure."""
        outcomes, calls = self._outcomes, self._outcomes.calls
        if self._well_since_s is not None and outcomes.failed_from_s > self._well_since_s:
            self._well_since_s = None
        if self._well_since_s is None:
            # An attempt that ended after the last failed one is a success.
            if not calls or calls[-1] <= outcomes.failures[-1]:
                return 1.0
            self._well_since_s = calls[-1]
        since_s, enough = self._well_since_s, self._settings.least_calls
        if now_s - since_s >= RECOVERY_S and len(calls) >= enough and calls[-enough] >= since_s:
            outcomes.clear()
            self._refused.clear()
        return max(0.0, 1.0 - (now_s - since_s) / RECOVERY_S)

    def check(self, now_s: float) -> None:
        """Raise LocalRefusalError (UNAVAILABLE, BREAKER_OPEN) if the attempt is refused."""
        if self.refuses(now_s):
            raise LocalRefusalError(
                grpc.StatusCode.UNAVAILABLE,
                RefusalReason.BREAKER_OPEN,
                f"{self._path}: refused here, since most calls of the last 10 s failed",
            )

    def counts(self, now_s: float) -> tuple[int, int]:
        """Attempts of the last 10 s with those refused here, and how many were accepted."""
        self._outcomes.forget_old(now_s)
        refused = self._refused
        while refused and refused[0] < now_s - WINDOW_S:
            refused.popleft()
        sent = len(self._outcomes.calls)
        return sent + len(refused), sent - len(self._outcomes.failures)

    def _log_change(self, *, refusing: bool, requests: int, accepted: int) -> None:
        if refusing is self.refusing:
            return
        self.refusing = refusing
        logger.log(
            logging.WARNING if refusing else logging.INFO,
            "%s: the breaker %s: %d of %d attempts accepted in 10 s",
            self._path,
            "refuses calls" if refusing else "lets everything through again",
            accepted,
            requests,
        )


class MethodBreakers:
    """The breakers of one channel: one for each method, shared by all stubs."""

    def __init__(
        self, rng: random.Random, settings: BreakerSettings | None = DEFAULT_BREAKER
    ) -> None:
        self._rng = rng
        # None: the breakers are switched off.
        self.settings = settings
        self.by_method: dict[Method, Breaker] = {}

    def of(self, method: Method) -> Breaker:
        """The method's breaker, made on first use."""
        found = self.by_method.get(method)
        if found is None:
            found = self.by_method[method] = Breaker(
                method.path, method.outcomes, self._rng, self.settings or DEFAULT_BREAKER
            )
        return found
