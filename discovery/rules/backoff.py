"""How long to wait before trying again: endless generators of delays, nothing that waits."""

import random
from collections.abc import Iterator


def jittered(
    first_s: float, ceiling_s: float, rng: random.Random, *, factor: float = 2.0
) -> Iterator[float]:
    """Yield delays in seconds, for ever: min(first x factor^n, ceiling) x U(0.5, 1), n = 0, 1, ...

    Equal jitter: at least half of each step is kept, so that nobody hammers something that is
    down, and the other half spreads those who lost it in the same instant.
    """
    step_s = min(first_s, ceiling_s)
    while True:
        yield step_s * rng.uniform(0.5, 1.0)
        step_s = min(step_s * factor, ceiling_s)


def retry_delays(
    rng: random.Random,
    *,
    initial_s: float = 0.05,
    ceiling_s: float = 1.0,
    multiplier: float = 2.0,
) -> Iterator[float]:
    """Yield the delay in seconds before attempt n + 1 of a call, for n = 1, 2, ... (gRFC A6).

    min(initial x multiplier^(n-1), ceiling) x U(0.8, 1.2). The number of attempts is the
    caller's to bound.
    """
    step_s = min(initial_s, ceiling_s)
    while True:
        yield step_s * rng.uniform(0.8, 1.2)
        step_s = min(step_s * multiplier, ceiling_s)
