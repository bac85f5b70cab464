"""Refuses calls of a method that fails at every instance, so that they cost the service nothing.

This is the client throttle of Google's SRE book ("Handling Overload"), for each method of a
service; ejection deals with a single bad instance. It counts the attempts of the last 10 s,
including those that it refused itself. From 20 attempts on:

    chance of a refusal = min(0.9, (requests - K x accepted) / (requests + 1)), K = 2

- While half of the attempts are accepted, nothing is refused.
- If nothing is accepted, one attempt in ten is still sent, and at least one a second.
- If all failures are of one instance and others accept, nothing is refused: an instance that dies
  fails many calls at once, and their retries must get through.
"""

import logging
import random

import grpc

from discovery.errors import LocalRefusalError, RefusalReason
from discovery.rules.method import Method
from discovery.rules.outcome_window import Outcomes

logger = logging.getLogger(__name__)

K = 2.0
LEAST_CALLS = 20
MOST_REFUSED = 0.9
PROBE_EVERY_S = 1.0


class Breaker:
    """Decides whether attempts of one method are sent, from the outcomes of earlier ones."""

    def __init__(self, path: str, outcomes: Outcomes, rng: random.Random) -> None:
        self._path = path
        self._outcomes = outcomes
        self._rng = rng
        self._tried_s = float("-inf")
        self.refusing = False

    def refuses(self, now_s: float) -> bool:
        """Decide whether to refuse an attempt now; a refused one counts as not accepted."""
        requests, accepted = self.counts(now_s)
        chance = 0.0
        if requests >= LEAST_CALLS and not (accepted and len(self._outcomes.culprits) == 1):
            chance = (requests - K * accepted) / (requests + 1)
        self._log_change(refusing=chance > 0, requests=requests, accepted=accepted)
        due = now_s - self._tried_s >= PROBE_EVERY_S
        if due or self._rng.random() >= min(chance, MOST_REFUSED):
            self._tried_s = now_s
            return False
        self._outcomes.failed(now_s)
        return True

    def check(self, now_s: float) -> None:
        """Raise LocalRefusalError (UNAVAILABLE, BREAKER_OPEN) if the attempt is refused."""
        if self.refuses(now_s):
            raise LocalRefusalError(
                grpc.StatusCode.UNAVAILABLE,
                RefusalReason.BREAKER_OPEN,
                f"{self._path}: refused here, since most calls of the last 10 s failed",
            )

    def counts(self, now_s: float) -> tuple[int, int]:
        """Attempts of the last 10 s, and how many of them were accepted."""
        self._outcomes.forget_old(now_s)
        requests = len(self._outcomes.calls)
        return requests, requests - len(self._outcomes.failures)

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

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.by_method: dict[Method, Breaker] = {}

    def of(self, method: Method) -> Breaker:
        """The method's breaker, made on first use."""
        found = self.by_method.get(method)
        if found is None:
            found = self.by_method[method] = Breaker(method.path, method.outcomes, self._rng)
        return found
