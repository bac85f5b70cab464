"""Carries out the planned disruptions on a running suite, and waits until it has recovered."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from discovery.clock import Clock
from discovery.registry.instance import Instance
from scripts.replay.faults.consumer_rewinder import ConsumerRewinder
from scripts.replay.faults.fault_plan import Disruption, EdgeProcess, Fault
from scripts.replay.order_gate import OrderGate
from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge
from scripts.suite.processes.slot import ProcessSlot, Programs

# Callers get this time to learn of new instances before the next disruption. On a busy machine they
# get half of the time that the start took, as when an operator rolls a service ("minReadySeconds").
NOTICE_S = 2.0


class FaultInjector:
    """Disrupts one suite and its edge; `done` counts the faults by kind as they happen.

    It reports each fault to `on_fault`, in a sentence for a person.
    """

    def __init__(
        self,
        suite: Cluster,
        *,
        rewinder: ConsumerRewinder,
        clock: Clock,
        edge: SuiteEdge | None = None,
        on_fault: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._suite = suite
        self._rewinder = rewinder
        self._clock = clock
        self._edge = edge
        self._on_fault = on_fault
        self._slots = {slot.name: slot for slot in suite.slots}
        self.done: Counter[Fault] = Counter()

    async def run(self, disruptions: Sequence[Disruption], gate: OrderGate) -> None:
        """Carry out one disruption in each portion of the orders, then open the last portion.

        Raises StartError when the suite doesn't recover.
        """
        for disruption in disruptions:
            replaced = await self._instances((*disruption.killed, *disruption.drained))
            await gate.open_portion()
            await gate.wait_share(disruption.at_share)
            began_s = self._clock.monotonic()
            await self._disrupt(disruption)
            await self._suite.wait_registered(replaced=replaced)
            if self._edge is not None:
                await self._edge.wait_until_listening()
            took_s = self._clock.monotonic() - began_s
            await self._clock.sleep(max(NOTICE_S, took_s / 2))
        await gate.open_portion()

    async def rewind(self) -> None:
        """Rewind all consumers."""
        number = await self._rewinder.rewind()
        self.done[Fault.REWIND] += number
        self._on_fault(f"rewound {number} consumers to the start of their feeds")

    async def _disrupt(self, disruption: Disruption) -> None:
        async with asyncio.TaskGroup() as at_once:
            if disruption.consul_down_s is not None:
                at_once.create_task(self._restart_consul(disruption.consul_down_s))
            if disruption.rewound:
                at_once.create_task(self.rewind())
            if disruption.edge_killed is not None and self._edge is not None:
                at_once.create_task(self._kill_edge(self._edge, disruption.edge_killed))
            for name in disruption.killed:
                at_once.create_task(self._kill(self._slots[name], disruption.down_s))
            for name in disruption.drained:
                at_once.create_task(self._drain(self._slots[name], disruption.replaced_by))

    async def _instances(self, names: Collection[str]) -> tuple[Instance, ...]:
        """The instances that are registered for these slots now."""
        services = {self._slots[name].service for name in names}
        listed = [await self._suite.instances(service) for service in services]
        return tuple(one for found in listed for one in found if one.instance_id in names)

    async def _kill(self, slot: ProcessSlot, down_s: float) -> None:
        await slot.stop(signal.SIGKILL)
        self.done[Fault.KILL] += 1
        self._on_fault(f"killed {slot.name}; started again in {down_s:.1f} s")
        await self._clock.sleep(down_s)
        await slot.start()

    async def _kill_edge(self, edge: SuiteEdge, process: EdgeProcess) -> None:
        if process is EdgeProcess.ENVOY:
            edge.kill_envoy()
        else:
            await edge.slot.stop(signal.SIGKILL)
        self.done[Fault.EDGE] += 1
        self._on_fault(f"killed {process.value}")
        if process is EdgeProcess.CONTROL_PLANE:
            await edge.slot.start()

    async def _drain(self, slot: ProcessSlot, replaced_by: Programs | None) -> None:
        successor = f" by {replaced_by.name}" if replaced_by else ""
        self._on_fault(f"draining {slot.name}, then replacing it{successor}")
        await slot.stop()
        slot.take_code_of(replaced_by or slot.programs)
        self.done[Fault.DRAIN] += 1
        await slot.start()

    async def _restart_consul(self, down_s: float) -> None:
        await asyncio.to_thread(self._suite.consul.kill)
        self.done[Fault.CONSUL] += 1
        loses = "loses all registrations" if self._suite.consul.is_in_memory else "keeps its data"
        self._on_fault(f"killed Consul, which {loses}; back in {down_s:.1f} s")
        await self._clock.sleep(down_s)
        await asyncio.to_thread(self._suite.consul.start)
