"""Converts instances to plain JSON values and back."""

from types import MappingProxyType
from typing import Any

from discovery.registry.instance import Instance


def instance_to_json(instance: Instance) -> dict[str, Any]:
    """All fields of a usable instance; `instance_id` is under "id"."""
    return {
        "id": instance.instance_id,
        "service": instance.service,
        "address": instance.address,
        "port": instance.port,
        "tags": list(instance.tags),
        "meta": dict(instance.meta),
        "weight": instance.weight,
        "incarnation": instance.incarnation,
    }


def instance_from_json(document: dict[str, Any]) -> Instance:
    """Read what `instance_to_json` wrote. Raises KeyError, TypeError or ValueError."""
    return Instance(
        instance_id=str(document["id"]),
        service=str(document["service"]),
        address=str(document["address"]),
        port=int(document["port"]),
        tags=tuple(document["tags"]),
        meta=MappingProxyType(dict(document["meta"])),
        weight=int(document["weight"]),
        incarnation=str(document["incarnation"]),
    )
