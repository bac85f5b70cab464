"""Prefixed, sortable ids: `ord_` and the 32 hex digits of a UUIDv7 (RFC 9562, section 5.7)."""

import random
import threading

from discovery.clock import Clock
from services.chassis.store.micros import to_micros

_RANDOM_BITS = 74  # rand_a (12) and rand_b (62)
_RANDOM_LIMIT = 1 << _RANDOM_BITS
_RAND_B_BITS = 62
_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62


class IdFactory:
    """Makes ids that sort in the order in which one process made them.

    Within one millisecond, and while the wall clock stands still or goes back, the random part of
    the previous id grows by a random step (RFC 9562, section 6.2, method 2). It may be called from
    the event loop and from the database's threads.
    """

    def __init__(self, *, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._lock = threading.Lock()
        self._last_ms = -1
        self._last_random = 0

    def new(self, prefix: str) -> str:
        """Make an id: `new("ord")` returns `ord_` and 32 lowercase hex digits."""
        return f"{prefix}_{self._next():032x}"

    def _next(self) -> int:
        now_ms = to_micros(self._clock.now()) // 1000
        with self._lock:
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                self._last_random = self._rng.getrandbits(_RANDOM_BITS)
            else:
                self._last_random += 1 + self._rng.getrandbits(32)
                if self._last_random >= _RANDOM_LIMIT:
                    self._last_ms += 1
                    self._last_random %= _RANDOM_LIMIT
            unix_ms, randomness = self._last_ms, self._last_random
        rand_a, rand_b = divmod(randomness, 1 << _RAND_B_BITS)
        return unix_ms << 80 | _VERSION_7 | rand_a << 64 | _VARIANT_RFC | rand_b


def with_prefix(identifier: str, prefix: str) -> str:
    """Put another prefix before the UUID: `with_prefix("ord_0193...", "rsv")` is `rsv_0193...`."""
    return f"{prefix}_{identifier.rpartition('_')[2]}"
