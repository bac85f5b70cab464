"""What a soak does to its instances, for as long as it runs: the same seed makes the same plan.

    kill     SIGKILL, and started again in its slot
    freeze   SIGSTOP, and SIGCONT: it holds its connections and answers nobody
    drain    SIGTERM: it leaves in order, and is replaced
    consul   the agent dies and comes back on its ports with nothing remembered

Each in turn, in an order that is drawn anew for every four. Now and then Consul goes away in the
middle of one of the others. One instance at a time: the next disruption waits until all are back.
"""

import asyncio
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from discovery.clock import Clock
from discovery.registry.instance import Instance
from scripts.suite.cluster import Cluster, Slot

DOWN_MIN_S = 0.2
DOWN_MAX_S = 1.5
# Longer than a call may take: who waits for the frozen one fails.
FROZEN_MIN_S = 0.5
FROZEN_MAX_S = 8.0
CONSUL_DOWN_MAX_S = 4.0
CONSUL_TOO = 0.25
PAUSE_MAX_S = 2.0
# Time for callers to notice an instance that came back, or half of its start where that is longer.
NOTICE_S = 2.0


class SoakFault(StrEnum):
    """What can happen."""

    KILL = "kill"
    FREEZE = "freeze"
    DRAIN = "drain"
    CONSUL = "consul"


@dataclass(frozen=True, slots=True)
class SoakDisruption:
    """One fault, `pause_s` after the one before was over, for `lasts_s`.

    It hits the slot of that number, counted from 0; with `consul_down_s` the agent too.
    """

    fault: SoakFault
    slot: int
    pause_s: float
    lasts_s: float
    consul_down_s: float | None

    @property
    def faults(self) -> tuple[SoakFault, ...]:
        """All that it does."""
        too = self.consul_down_s is not None and self.fault is not SoakFault.CONSUL
        return (self.fault, SoakFault.CONSUL) if too else (self.fault,)


def disruptions(slots: int, rng: random.Random) -> Iterator[SoakDisruption]:
    """Strikes without end on so many slots."""
    while True:
        for fault in rng.sample(list(SoakFault), len(SoakFault)):
            longest_s = FROZEN_MAX_S if fault is SoakFault.FREEZE else DOWN_MAX_S
            shortest_s = FROZEN_MIN_S if fault is SoakFault.FREEZE else DOWN_MIN_S
            consul = fault is SoakFault.CONSUL or rng.random() < CONSUL_TOO
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
        at_once.create_task(_hit(disruption, slot, clock))
    await suite.wait_registered(replaced=replaced)
    await clock.sleep(max(NOTICE_S, (clock.monotonic() - began_s - disruption.lasts_s) / 2))


async def _replaced(disruption: SoakDisruption, slot: Slot, suite: Cluster) -> Sequence[Instance]:
    """The instance that will be gone for good."""
    if disruption.fault not in (SoakFault.KILL, SoakFault.DRAIN):
        return ()
    return [one for one in await suite.instances(slot.service) if one.instance_id == slot.name]


async def _hit(disruption: SoakDisruption, slot: Slot, clock: Clock) -> None:
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
