"""Delays before trying again, as endless generators of seconds; the caller does the waiting."""

import random
from collections.abc import Iterator


def jittered(
    first_s: float, ceiling_s: float, rng: random.Random, *, factor: float = 2.0
) -> Iterator[float]:
    """Yield delays in seconds, for ever: min(first x factor^n, ceiling) x U(0.5, 1), n = 0, 1, ...

    This is equal jitter. Half of each step is fixed, so that a server that is down isn't flooded;
    the other half is random, so that clients that lost it together don't return together.
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

    min(initial x multiplier^(n-1), ceiling) x U(0.8, 1.2). The caller bounds the number of
    attempts.
    """
    step_s = min(initial_s, ceiling_s)
    while True:
        yield step_s * rng.uniform(0.8, 1.2)
        step_s = min(step_s * multiplier, ceiling_s)
