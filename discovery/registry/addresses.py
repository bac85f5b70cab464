"""Instances that are known by their address alone, without a registry behind them."""

from collections.abc import Iterable

from discovery.registry.instance import SOCKETS, Instance


def split_address(address: str) -> tuple[str, int]:
    """The host, without brackets, and the port of `host:port`; a Unix domain socket has port 0."""
    if address.startswith(SOCKETS):
        return address, 0
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def instances_at(service: str, addresses: Iterable[tuple[str, int]]) -> tuple[Instance, ...]:
    """One instance for each (host, port), sorted by id; its id is its endpoint."""
    return tuple(sorted((_instance(service, *each) for each in addresses), key=_id))


def _instance(service: str, host: str, port: int) -> Instance:
    unnamed = Instance(instance_id="", service=service, address=host, port=port)
    return Instance(instance_id=unnamed.endpoint, service=service, address=host, port=port)


def _id(instance: Instance) -> str:
    return instance.instance_id
