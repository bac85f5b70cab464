"""Blocking queries on one service's healthy instances, by Consul's rules for them.

https://developer.hashicorp.com/consul/api-docs/features/blocking: a return isn't a change; an
index that goes backwards starts over; an index is at least 1, or the loop never blocks; the
client limits its own rate; it waits longer than the agent does.
"""

import random
from collections.abc import AsyncGenerator, Callable

from discovery.clock import Clock
from discovery.registry.consul.health_endpoint import (
    ANSWER_WITHIN_S,
    Freshness,
    HealthEndpoint,
    Params,
)
from discovery.registry.consul.rate_limit import TokenBucket
from discovery.registry.instance import Instance

# The agent adds up to wait/16 of its own (prometheus/prometheus#6640 ran into it).
_AGENT_JITTER = 17 / 16
_BURST = 2
_REFILL_PER_S = 1.0
# A thousand instances take tens of milliseconds to read. Charged for, they are read every 4 s
# where something changes all the time, and still at once where it rarely does.
_INSTANCES_PER_TOKEN = 250


async def watch_passing(
    endpoint: HealthEndpoint,
    *,
    clock: Clock,
    rng: random.Random,
    wait_s: float,
    observe: Callable[[Freshness], None],
) -> AsyncGenerator[tuple[Instance, ...], None]:
    """Yield the passing instances, and again after each change. Raises RegistryError.

    Each query waits wait_s x U(0.9, 1): a change wakes every watch of a service in one instant,
    and they should not all time out together afterwards too.
    """
    bucket = TokenBucket(burst=_BURST, refill_per_s=_REFILL_PER_S, clock=clock)
    index = 0
    seen: tuple[Instance, ...] | None = None
    while True:
        await bucket.take()
        params, timeout_s = _question(index, wait_s * rng.uniform(0.9, 1.0))
        page = await endpoint.ask(params, timeout_s=timeout_s)
        bucket.owe(max(0.0, len(page.instances) / _INSTANCES_PER_TOKEN - 1))
        observe(page.freshness)
        index = 0 if page.index < index else max(1, page.index)
        if page.instances != seen:
            seen = page.instances
            yield page.instances


def _question(index: int, wait_s: float) -> tuple[Params, float]:
    """What to ask, and for how long to wait: the first query, without an index, doesn't block."""
    params: Params = [("passing", 1), ("stale", "")]
    if not index:
        return params, ANSWER_WITHIN_S
    params += [("index", index), ("wait", f"{wait_s * 1000:.0f}ms")]
    return params, ANSWER_WITHIN_S + wait_s * _AGENT_JITTER
