"""Calls one instance of a service at its registered address, past the balancing of the channels."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradepost.instance.v1.instance_service_pb2_grpc import InstanceServiceStub

from discovery.registry.consul.registry import ConsulRegistry
from services.chassis.channels import CorrelatedChannel

if TYPE_CHECKING:
    from tradepost.instance.v1.instance_service_pb2_grpc import InstanceServiceAsyncStub


@dataclass(frozen=True, slots=True)
class InstanceCalls:
    """Finds instances in the registry; `open_instance(service, endpoint)` connects to one.

    An instance that has left can't be called any more. What it answered is asked of another one of
    its service then, over the service's own channel.
    """

    registry: ConsulRegistry | None
    channels: Mapping[str, CorrelatedChannel]
    open_instance: Callable[[str, str], CorrelatedChannel]

    @asynccontextmanager
    async def stub_of(
        self, service: str, instance_id: str
    ) -> AsyncIterator["InstanceServiceAsyncStub"]:
        """Yield a stub of the instance, or of any of its service if it isn't registered.

        Only the registry says where an instance is: an address from a form could be anybody's, who
        would get the operator's token. Raises RegistryError.
        """
        listed = () if self.registry is None else await self.registry.checked(service)
        for instance, _ in listed:
            if instance.instance_id == instance_id:
                async with self.open_instance(service, instance.endpoint) as channel:
                    yield InstanceServiceStub(channel)
                return
        yield InstanceServiceStub(self.channels[service])
