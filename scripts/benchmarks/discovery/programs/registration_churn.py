"""Registers many instances with a Consul agent, and goes on to change some of them.

    python -m ...programs.registration_churn CONSUL NUMBER CHANGES_PER_S PORT...

The instances share the given ports, on which servers listen. It prints "ready" once all are
registered, and makes changes until it is killed: each one removes an instance or brings it back.
"""

import asyncio
import random
import sys
from collections.abc import Sequence

from discovery.clock import Clock, SystemClock
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance

SERVICE = "bench"
# The number of registrations that are under way at once.
_AT_ONCE = 16
# So long that the agent checks none of them: its own work isn't measured.
_NEVER = CheckSettings(interval_s=3_600.0)


def instances(number: int, ports: Sequence[int]) -> Sequence[Instance]:
    """The instances to register."""
    return [
        Instance(
            instance_id=f"bench-{index:04}",
            service=SERVICE,
            address="127.0.0.1",
            port=ports[index % len(ports)],
            meta={"version": "0.1.0", "protocol": "grpc"},
            incarnation="1",
        )
        for index in range(number)
    ]


async def churn(
    consul: str, listed: Sequence[Instance], changes_per_s: float, clock: Clock, rng: random.Random
) -> None:
    """Register all, print "ready", and change one after another."""
    registry = ConsulRegistry(consul, clock=clock, rng=rng, check=_NEVER)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def register(instance: Instance) -> None:
        async with at_once:
            await registry.register(instance)

    await asyncio.gather(*(register(instance) for instance in listed))
    print("ready", flush=True)
    began_s = clock.monotonic()
    away: list[Instance] = []
    for number in range(sys.maxsize):
        await clock.sleep(began_s + number / changes_per_s - clock.monotonic())
        if number % 2 == 0:
            away.append(rng.choice(listed))
            await registry.deregister(away[0])
        else:
            await registry.register(away.pop())


if __name__ == "__main__":
    asyncio.run(
        churn(
            sys.argv[1],
            instances(int(sys.argv[2]), [int(port) for port in sys.argv[4:]]),
            float(sys.argv[3]),
            SystemClock(),
            random.Random(1),
        )
    )
