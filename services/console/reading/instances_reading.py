"""Reads what the registry lists, and what this console's own channels see."""

from collections.abc import Sequence
from dataclasses import dataclass

from discovery import Explanation, Instance, RegistryError
from services.console.reading.instance_calls import InstanceCalls


@dataclass(frozen=True, slots=True)
class ListedInstances:
    """The registered instances of a service with their checks; `fault` says why there are none."""

    service: str
    instances: Sequence[tuple[Instance, str]]
    fault: str
    seen: Explanation | None


async def read_instances(instances: InstanceCalls, service: str) -> ListedInstances:
    """Read one service's instances. Without a registry, only what its channel sees."""
    seen, registry = instances.channels[service].explain(), instances.registry
    if registry is None:
        return ListedInstances(service, (), "no registry", seen)
    try:
        listed = await registry.checked(service)
    except RegistryError as error:
        return ListedInstances(service, (), str(error), seen)
    return ListedInstances(service, listed, "", seen)
