"""Plans and carries out the faults of a soak, without end: the same seed makes the same plan.

    kill     SIGKILL, and started again in its slot
    freeze   SIGSTOP and later SIGCONT: connections stay open, but no call is answered
    drain    SIGTERM: the instance drains and is replaced
    consul   the agent is killed and comes back on its ports without its registrations

Each of the four comes once in every four disruptions, in random order. Sometimes Consul restarts in
the middle of another fault. Only one instance is disrupted at a time: the next disruption waits
until all instances are back.
"""

import asyncio
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from discovery.clock import Clock
from discovery.registry.instance import Instance
from scripts.suite.cluster import Cluster
from scripts.suite.processes.slot import ProcessSlot

DOWN_MIN_S = 0.2
DOWN_MAX_S = 1.5
# Longer than a call's timeout, so a caller that only waits for the frozen instance fails.
FROZEN_MIN_S = 0.5
FROZEN_MAX_S = 8.0
CONSUL_DOWN_MAX_S = 4.0
CONSUL_SHARE = 0.25
PAUSE_MAX_S = 2.0
# Time for callers to notice an instance that came back, or half of its start where that is longer.
NOTICE_S = 2.0


class SoakFault(StrEnum):
    """A kind of fault."""

    KILL = "kill"
    FREEZE = "freeze"
    DRAIN = "drain"
    CONSUL = "consul"


@dataclass(frozen=True, slots=True)
class SoakDisruption:
    """One fault, `pause_s` after the last one was over, for `lasts_s`.

    It affects the slot with that number, counted from 0, and with `consul_down_s` also the agent.
    """

    fault: SoakFault
    slot: int
    pause_s: float
    lasts_s: float
    consul_down_s: float | None

    @property
    def faults(self) -> tuple[SoakFault, ...]:
        """All faults of the disruption."""
        too = self.consul_down_s is not None and self.fault is not SoakFault.CONSUL
        return (self.fault, SoakFault.CONSUL) if too else (self.fault,)


def plan_disruptions(slots: int, rng: random.Random) -> Iterator[SoakDisruption]:
    """Yield disruptions of `slots` slots without end."""
    while True:
        for fault in rng.sample(list(SoakFault), len(SoakFault)):
            longest_s = FROZEN_MAX_S if fault is SoakFault.FREEZE else DOWN_MAX_S
            shortest_s = FROZEN_MIN_S if fault is SoakFault.FREEZE else DOWN_MIN_S
            consul = fault is SoakFault.CONSUL or rng.random() < CONSUL_SHARE
            yield SoakDisruption(
                fault=fault,
                slot=rng.randrange(slots),
                pause_s=rng.uniform(0, PAUSE_MAX_S),
                lasts_s=rng.uniform(shortest_s, longest_s),
                consul_down_s=rng.uniform(DOWN_MIN_S, CONSUL_DOWN_MAX_S) if consul else None,
            )


async def carry_out(disruption: SoakDisruption, suite: Cluster, *, clock: Clock) -> None:
    """Carry out one disruption; return once all instances are registered and callers had time.

    Raises StartError where one doesn't come back.
    """
    await clock.sleep(disruption.pause_s)
    slot = suite.slots[disruption.slot]
    replaced = await _replaced(disruption, slot, suite)
    began_s = clock.monotonic()
    async with asyncio.TaskGroup() as at_once:
        if disruption.consul_down_s is not None:
            at_once.create_task(_restart_consul(suite, disruption.consul_down_s, clock))
        at_once.create_task(_fault(disruption, slot, clock))
    await suite.wait_registered(replaced=replaced)
    await clock.sleep(max(NOTICE_S, (clock.monotonic() - began_s - disruption.lasts_s) / 2))


async def _replaced(
    disruption: SoakDisruption, slot: ProcessSlot, suite: Cluster
) -> Sequence[Instance]:
    """The instance that will be replaced, as a sequence; empty if none will."""
    if disruption.fault not in (SoakFault.KILL, SoakFault.DRAIN):
        return ()
    return [one for one in await suite.instances(slot.service) if one.instance_id == slot.name]


async def _fault(disruption: SoakDisruption, slot: ProcessSlot, clock: Clock) -> None:
    match disruption.fault:
        case SoakFault.KILL:
            await slot.stop(signal.SIGKILL)
            await clock.sleep(disruption.lasts_s)
            await slot.start()
        case SoakFault.DRAIN:
            await slot.stop()
            await slot.start()
        case SoakFault.FREEZE:
            slot.send(signal.SIGSTOP)
            try:
                await clock.sleep(disruption.lasts_s)
            finally:
                slot.send(signal.SIGCONT)
        case SoakFault.CONSUL:
            pass


async def _restart_consul(suite: Cluster, down_s: float, clock: Clock) -> None:
    await asyncio.to_thread(suite.consul.kill)
    await clock.sleep(down_s)
    await asyncio.to_thread(suite.consul.start)
