"""Refuses calls of a method that fails everywhere, before they cost the service anything.

The client throttle of Google's SRE book ("Handling Overload"), per service and method; what one
instance does wrong is ejection's concern. Over the attempts of the last 10 s, those refused here
included, once there are 20:

    chance of a refusal = min(0.9, (requests - K x accepted) / (requests + 1)), K = 2

so nothing is refused while half is accepted, and with nothing accepted one in ten still tries; at
least one a second does, however few there are. Nor is anything refused while all that failed is one
instance's and others accept: an instance that dies takes many calls along at once, and the retries
of these must get through.
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
    """Decides on the attempts of one method, by what became of the earlier ones."""

    def __init__(self, path: str, outcomes: Outcomes, rng: random.Random) -> None:
        self._path = path
        self._outcomes = outcomes
        self._rng = rng
        self._tried_s = float("-inf")
        self.refusing = False

    def refuses(self, now_s: float) -> bool:
        """Whether an attempt that would begin now isn't made; it then counts as not accepted."""
        requests, accepted = self.counts(now_s)
        chance = 0.0
        if requests >= LEAST_CALLS and not (accepted and len(self._outcomes.culprits) == 1):
            chance = (requests - K * accepted) / (requests + 1)
        self._turn(refusing=chance > 0, requests=requests, accepted=accepted)
        due = now_s - self._tried_s >= PROBE_EVERY_S
        if due or self._rng.random() >= min(chance, MOST_REFUSED):
            self._tried_s = now_s
            return False
        self._outcomes.failed(now_s)
        return True

    def check(self, now_s: float) -> None:
        """Raises LocalRefusalError (UNAVAILABLE, reason "breaker open") where it refuses."""
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

    def _turn(self, *, refusing: bool, requests: int, accepted: int) -> None:
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


class Breakers:
    """The breakers of one channel: one for each method, however often a stub is made."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.by_method: dict[Method, Breaker] = {}

    def of(self, method: Method) -> Breaker:
        """The method's breaker, made on first use."""
        found = self.by_method.get(method)
        if found is None:
            found = self.by_method[method] = Breaker(method.path, method.outcomes, self._rng)
        return found
