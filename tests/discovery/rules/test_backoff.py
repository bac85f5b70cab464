"""The delays between tries."""

import random
from itertools import islice

from discovery.rules.backoff import jittered, retry_delays


def test_the_formula_of_a_jittered_backoff() -> None:
    """Steps double up to the ceiling; each delay is between half of its step and all of it."""
    for seed in range(50):
        delays = list(islice(jittered(0.2, 30.0, random.Random(seed)), 12))
        steps = [min(0.2 * 2**n, 30.0) for n in range(12)]
        assert all(step / 2 <= delay <= step for step, delay in zip(steps, delays, strict=True))


def test_a_jittered_backoff_spreads_clients() -> None:
    """Delays fill the upper half of the step, so clients that failed together return apart."""
    firsts = [next(jittered(0.2, 30.0, random.Random(seed))) for seed in range(50)]
    assert min(firsts) < 0.11
    assert max(firsts) > 0.19


def test_a_first_step_above_the_ceiling() -> None:
    """The ceiling limits the first delay too."""
    assert max(islice(jittered(60.0, 30.0, random.Random(1)), 5)) <= 30.0


def test_the_formula_of_retry_delays() -> None:
    """min(50 ms x 2^(n-1), 1 s) x U(0.8, 1.2), as in gRFC A6."""
    for seed in range(50):
        delays = list(islice(retry_delays(random.Random(seed)), 8))
        steps = [min(0.05 * 2**n, 1.0) for n in range(8)]
        assert all(
            0.8 * step <= delay <= 1.2 * step for step, delay in zip(steps, delays, strict=True)
        )


def test_the_same_seed_gives_the_same_delays() -> None:
    """All randomness comes from the generator that is passed in."""
    first, second = (list(islice(retry_delays(random.Random(9)), 5)) for _ in range(2))
    assert first == second


def test_delays_never_end() -> None:
    """After a thousand steps the delay is still that of the ceiling."""
    thousandth = next(islice(jittered(0.2, 30.0, random.Random(1)), 2000, None))
    assert 15.0 <= thousandth <= 30.0
