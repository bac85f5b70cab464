"""Watches the instances of one service by blocking queries.

It follows Consul's rules (https://developer.hashicorp.com/consul/api-docs/features/blocking):

- A query may return without a change.
- If the index goes backwards, start again without one.
- Use an index of at least 1; with 0 a query never blocks.
- Limit the rate of queries.
- Wait for longer than the agent does.

An empty answer is passed on as it is; `discovery.registry.resolver` decides whether to believe it.
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

# The agent adds up to wait/16 to the time that was asked for (prometheus/prometheus#6640).
_AGENT_JITTER = 17 / 16
_BURST = 2
_REFILL_PER_S = 1.0
# Reading a thousand instances takes tens of milliseconds. At this price they are read every 4 s if
# they change all the time, and immediately if they rarely change.
_INSTANCES_PER_TOKEN = 250


async def watch_instances(
    endpoint: HealthEndpoint,
    *,
    clock: Clock,
    rng: random.Random,
    wait_s: float,
    observe: Callable[[Freshness], None],
) -> AsyncGenerator[tuple[Instance, ...], None]:
    """Yield the instances, and again after each change. Raises RegistryError.

    Failing instances are asked for too: they must be told from those that vanished.

    Each query waits wait_s x U(0.9, 1). A change wakes all watches of a service at once; the jitter
    keeps them from all timing out at once later.
    """
    bucket = TokenBucket(burst=_BURST, refill_per_s=_REFILL_PER_S, clock=clock)
    index = 0
    seen: tuple[Instance, ...] | None = None
    while True:
        await bucket.take()
        params, timeout_s = blocking_question(index, wait_s * rng.uniform(0.9, 1.0))
        page = await endpoint.ask([("stale", ""), *params], timeout_s=timeout_s)
        bucket.charge(max(0.0, len(page.instances) / _INSTANCES_PER_TOKEN - 1))
        observe(page.freshness)
        index = next_index(index, page.index)
        if page.instances != seen:
            seen = page.instances
            yield page.instances


def blocking_question(index: int, wait_s: float) -> tuple[Params, float]:
    """A query's parameters and timeout; the first query has no index and doesn't block."""
    if not index:
        return [], ANSWER_WITHIN_S
    wait = f"{wait_s * 1000:.0f}ms"
    return [("index", index), ("wait", wait)], ANSWER_WITHIN_S + wait_s * _AGENT_JITTER


def next_index(index: int, answered: int) -> int:
    """The index of the next query: at least 1, or none if the agent's index went backwards."""
    return 0 if answered < index else max(1, answered)
