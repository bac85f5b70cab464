"""A token bucket: limits a rate, and lets a short burst through."""

from discovery.clock import Clock

# A shortage below this is a rounding error, not a reason to wait.
_NEGLIGIBLE_S = 1e-9


class TokenBucket:
    """Holds at most `burst` tokens, gains `refill_per_s` each second, starts full."""

    def __init__(self, *, burst: float, refill_per_s: float, clock: Clock) -> None:
        self._burst = burst
        self._refill_per_s = refill_per_s
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock.monotonic()

    async def take(self) -> None:
        """Take one token; wait until there is one."""
        while (shortage_s := self._shortage_s()) > _NEGLIGIBLE_S:
            await self._clock.sleep(shortage_s)
        self._tokens -= 1

    def charge(self, tokens: float) -> None:
        """Charge more for work that cost more than one token; the next `take` waits for it."""
        self._tokens -= tokens

    def _shortage_s(self) -> float:
        """Seconds until there is a whole token."""
        now = self._clock.monotonic()
        gained = (now - self._filled_at) * self._refill_per_s
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
        return (1 - self._tokens) / self._refill_per_s
