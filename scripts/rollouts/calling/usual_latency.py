"""How long callers wait for the old version, before anything new is there."""

from statistics import median

from discovery.clock import Clock
from scripts.rollouts.calling.watched import Watched
from scripts.rollouts.verdict.attempt import Attempt

# The setting that tells it to a version that makes them wait twice as long.
USUAL_LATENCY_S = "ROLLOUT_USUAL_LATENCY_S"
_ATTEMPTS = 100
_LOOK_EVERY_S = 0.1


async def usual_latency_s(watched: Watched, clock: Clock) -> float:
    """The median latency of the next attempts on the watched instances."""
    seen: list[Attempt] = []
    watched.take = seen.append
    while len(seen) < _ATTEMPTS:
        await clock.sleep(_LOOK_EVERY_S)
    return median(attempt.latency_s for attempt in seen)
