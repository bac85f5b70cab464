"""Limits the retries that a client adds to its load: a budget of its own and gRFC A6's throttle."""

from dataclasses import dataclass
from math import inf

WINDOW_S = 10.0
RETRIES_PER_CALL = 0.2
RESERVE_PER_S = 10.0
_BUCKETS = 10
_BUCKET_S = WINDOW_S / _BUCKETS


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """The part of the calls that may be retried, and how many more in each second."""

    retries_per_call: float = RETRIES_PER_CALL
    reserve_per_s: float = RESERVE_PER_S


DEFAULT_BUDGET = BudgetSettings()


class RetryBudget:
    """Finagle's RetryBudget: retries of the last 10 s <= 20 % of its calls + 10 for each second.

    The 10 for each second are the reserve, for clients with few calls. Calls and retries are
    counted in ten buckets of one second each and forgotten after 10 s. An `unlimited` budget pays
    for every retry and counts them.
    """

    def __init__(
        self,
        *,
        retries_per_call: float = RETRIES_PER_CALL,
        reserve_per_s: float = RESERVE_PER_S,
        unlimited: bool = False,
    ) -> None:
        self._unlimited = unlimited
        self._retries_per_call = retries_per_call
        self._reserve = reserve_per_s * WINDOW_S
        self._calls = [0] * _BUCKETS
        self._retries = [0] * _BUCKETS
        self._index = 0
        self._bucket_ends_s = 0.0

    def deposit(self, now_s: float) -> None:
        """Count a call that begins."""
        if now_s >= self._bucket_ends_s:
            self._roll(now_s)
        self._calls[self._index] += 1

    def withdraw(self, now_s: float, *, reserve: bool = True) -> bool:
        """Whether one more retry is within the budget; if so, it is counted."""
        if not self.pays(now_s, reserve=reserve):
            return False
        self._retries[self._index] += 1
        return True

    def pays(self, now_s: float, *, reserve: bool) -> bool:
        """Whether one more retry would be within the budget; hedges may not use the reserve."""
        if now_s >= self._bucket_ends_s:
            self._roll(now_s)
        if self._unlimited:
            return True
        return sum(self._retries) + 1 <= self.allowed - (0.0 if reserve else self._reserve)

    @property
    def spent(self) -> int:
        """How many retries were made in the window."""
        return sum(self._retries)

    @property
    def allowed(self) -> float:
        """How many retries the window allows in total; infinite if the budget is unlimited."""
        if self._unlimited:
            return inf
        return sum(self._calls) * self._retries_per_call + self._reserve

    def _roll(self, now_s: float) -> None:
        """Start the bucket of this second, and empty those of the seconds in between."""
        elapsed = (now_s - self._bucket_ends_s) // _BUCKET_S + 1
        for _ in range(int(min(elapsed, _BUCKETS))):
            self._index = (self._index + 1) % _BUCKETS
            self._calls[self._index] = self._retries[self._index] = 0
        self._bucket_ends_s = (now_s // _BUCKET_S + 1) * _BUCKET_S


def budget_of(settings: BudgetSettings | None) -> RetryBudget:
    """The budget by a service config's settings; None: it has no limit."""
    if settings is None:
        return RetryBudget(unlimited=True)
    return RetryBudget(
        retries_per_call=settings.retries_per_call, reserve_per_s=settings.reserve_per_s
    )


class Throttle:
    """gRFC A6's retryThrottling, for a service whose config asks for it.

    It starts with the maximum of tokens. A failed attempt costs one token if it might be retried or
    if the server forbade a retry; a successful call returns `token_ratio`. Retries are made while
    more than half of the tokens are left.
    """

    def __init__(self, *, max_tokens: float, token_ratio: float) -> None:
        self._max_tokens = max_tokens
        self._token_ratio = token_ratio
        self._tokens = max_tokens

    def succeeded(self) -> None:
        """Count a call that succeeded."""
        self._tokens = min(self._tokens + self._token_ratio, self._max_tokens)

    def failed(self) -> None:
        """Count an attempt that failed."""
        self._tokens = max(self._tokens - 1, 0.0)

    @property
    def allows(self) -> bool:
        """Whether retries are made now."""
        return self._tokens > self._max_tokens / 2
