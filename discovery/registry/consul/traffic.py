"""Changes from outside how many calls a registered instance gets.

The instance needn't know: it registers itself again only if its agent has forgotten it, and then
with its own weight. So whoever needs a weight to last looks at it from time to time.
"""

from typing import Any

from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import AgentClient
from discovery.registry.protocols import RegistryError


class ConsulTraffic:
    """Sets weights and maintenance at the agent with which the instances are registered.

    Callers of `discovery` and the edge see a change at once. All methods raise RegistryError.
    """

    def __init__(self, address: AgentAddress) -> None:
        self._client = AgentClient(address, connections=2)

    async def set_weight(self, instance_id: str, weight: int) -> None:
        """Register the instance as it is, with another weight (1 to 65,535). Its checks stay."""
        path = f"/v1/agent/service/{instance_id}"
        entry: dict[str, Any] | None = (await self._client.get(path, allow_404=True)).data
        if entry is None:
            raise RegistryError(f"{instance_id} is not registered")
        await self._client.register(
            entry["Service"],
            service_id=instance_id,
            address=entry["Address"],
            port=entry["Port"],
            tags=entry["Tags"],
            meta=entry["Meta"],
            weights={**entry["Weights"], "Passing": weight},
        )
        # If it left between the two requests, this entry has no check, and would stay for ever.
        checks = (await self._client.get("/v1/agent/checks")).data
        if all(check["ServiceID"] != instance_id for check in checks.values()):
            await self._client.deregister(instance_id)
            raise RegistryError(f"{instance_id} has just left")

    async def take_out(self, instance_id: str, reason: str) -> None:
        """Let the instance get no more calls, until it is put back: Consul's maintenance."""
        await self._client.set_maintenance(instance_id, on=True, reason=reason)

    async def put_back(self, instance_id: str) -> None:
        """End what `take_out` began."""
        await self._client.set_maintenance(instance_id, on=False, reason="")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
