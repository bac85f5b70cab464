"""Shifts the calls between the instances of a rollout, and keeps them shifted."""

from collections.abc import Mapping

from discovery.clock import Clock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.traffic import ConsulTraffic
from discovery.registry.protocols import RegistryError
from scripts.suite.cluster import Cluster

_LOOK_EVERY_S = 0.5


class Traffic:
    """The weights of one service's instances in a suite's registry."""

    def __init__(self, suite: Cluster, service: str, *, clock: Clock) -> None:
        self._suite = suite
        self._service = service
        self._clock = clock
        address = AgentAddress.parse(suite.consul.address, token=None, ca_file=None)
        self._consul = ConsulTraffic(address)
        self._wanted: dict[str, int] = {}

    async def set(self, weights: Mapping[str, int]) -> None:
        """Set the weights of these instances. Raises RegistryError."""
        self._wanted = dict(weights)
        await self._ensure()

    async def take_out(self, instance_id: str, reason: str) -> None:
        """Let the instance get no more calls. Raises RegistryError."""
        await self._consul.take_out(instance_id, reason)

    async def put_back(self, instance_id: str) -> None:
        """Let the instance get calls again. Raises RegistryError."""
        await self._consul.put_back(instance_id)

    async def keep(self) -> None:
        """Set the weights again when they are lost, until cancelled.

        An agent that was restarted has forgotten them. The instances then register themselves with
        weight 1 each, which would give the canary as many calls as any other.
        """
        while True:
            await self._clock.sleep(_LOOK_EVERY_S)
            try:
                await self._ensure()
            except RegistryError:
                continue  # the agent is away, or an instance has just left

    async def _ensure(self) -> None:
        for instance in await self._suite.instances(self._service):
            wanted = self._wanted.get(instance.instance_id, instance.weight)
            if instance.weight != wanted:
                await self._consul.set_weight(instance.instance_id, wanted)

    async def close(self) -> None:
        """Close the connections to the agent."""
        await self._consul.close()
