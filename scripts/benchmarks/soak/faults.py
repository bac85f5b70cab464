"""What a soak does to its instances, for as long as it runs: the same seed makes the same plan.

    kill     SIGKILL, and started again in its slot
    freeze   SIGSTOP, and SIGCONT: it holds its connections and answers nobody
    drain    SIGTERM: it leaves in order, and is replaced
    consul   the agent dies and comes back on its ports with nothing remembered

Each in turn, in an order that is drawn anew for every four. Now and then Consul goes away in the
middle of one of the others. One instance at a time: the next strike waits until all are back.
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
# Callers get so long to hear of what came back, and on a busy machine as long as half of a start.
NOTICE_S = 2.0


class Fault(StrEnum):
    """What can happen."""

    KILL = "kill"
    FREEZE = "freeze"
    DRAIN = "drain"
    CONSUL = "consul"


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault, `pause_s` after the one before was over, for `lasts_s`.

    It hits the slot of that number, counted from 0; with `consul_down_s` the agent too.
    """

    fault: Fault
    slot: int
    pause_s: float
    lasts_s: float
    consul_down_s: float | None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that it does."""
        too = self.consul_down_s is not None and self.fault is not Fault.CONSUL
        return (self.fault, Fault.CONSUL) if too else (self.fault,)


def strikes(slots: int, rng: random.Random) -> Iterator[Strike]:
    """Strikes without end on so many slots."""
    while True:
        for fault in rng.sample(list(Fault), len(Fault)):
            longest_s = FROZEN_MAX_S if fault is Fault.FREEZE else DOWN_MAX_S
            shortest_s = FROZEN_MIN_S if fault is Fault.FREEZE else DOWN_MIN_S
            consul = fault is Fault.CONSUL or rng.random() < CONSUL_TOO
            yield Strike(
                fault=fault,
                slot=rng.randrange(slots),
                pause_s=rng.uniform(0, PAUSE_MAX_S),
                lasts_s=rng.uniform(shortest_s, longest_s),
                consul_down_s=rng.uniform(DOWN_MIN_S, CONSUL_DOWN_MAX_S) if consul else None,
            )


async def carry_out(strike: Strike, suite: Cluster, *, clock: Clock) -> None:
    """Strike, and wait until all instances are registered again and callers had time to notice.

    Raises StartError where one doesn't come back.
    """
    await clock.sleep(strike.pause_s)
    slot = suite.slots[strike.slot]
    replaced = await _replaced(strike, slot, suite)
    began_s = clock.monotonic()
    async with asyncio.TaskGroup() as at_once:
        if strike.consul_down_s is not None:
            at_once.create_task(_restart_consul(suite, strike.consul_down_s, clock))
        at_once.create_task(_hit(strike, slot, clock))
    await suite.wait_registered(replaced=replaced)
    await clock.sleep(max(NOTICE_S, (clock.monotonic() - began_s - strike.lasts_s) / 2))


async def _replaced(strike: Strike, slot: Slot, suite: Cluster) -> Sequence[Instance]:
    """The instance that will be gone for good."""
    if strike.fault not in (Fault.KILL, Fault.DRAIN):
        return ()
    return [one for one in await suite.instances(slot.service) if one.instance_id == slot.name]


async def _hit(strike: Strike, slot: Slot, clock: Clock) -> None:
    match strike.fault:
        case Fault.KILL:
            await slot.stop(signal.SIGKILL)
            await clock.sleep(strike.lasts_s)
            await slot.start()
        case Fault.DRAIN:
            await slot.stop()
            await slot.start()
        case Fault.FREEZE:
            slot.send(signal.SIGSTOP)
            try:
                await clock.sleep(strike.lasts_s)
            finally:
                slot.send(signal.SIGCONT)
        case Fault.CONSUL:
            pass


async def _restart_consul(suite: Cluster, down_s: float, clock: Clock) -> None:
    await asyncio.to_thread(suite.consul.kill)
    await clock.sleep(down_s)
    await asyncio.to_thread(suite.consul.start)
