"""EDS: the registered instances of each service and web application."""

import ipaddress
from collections.abc import Sequence

from envoy.config.core.v3 import address_pb2, base_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from discovery.registry.instance import SOCKETS, Instance

# What an instance of a web application says of itself in its metadata.
PROTOCOL, HTTP = "protocol", "http"


def endpoints(service: str, instances: Sequence[Instance]) -> endpoint_pb2.ClusterLoadAssignment:
    """Return the load assignment of a service; its cluster has the same name.

    Instances without weight, and those that Envoy can't dial, are left out. A locality is one
    process: Envoy takes an address that moves to another locality for a new host. Otherwise a
    process that replaces another at the same address would inherit its ejection.
    """
    processes: dict[str, list[endpoint_components_pb2.LbEndpoint]] = {}
    for each in instances:
        if each.weight >= 1 and has_address(each):
            processes.setdefault(each.incarnation, []).append(_endpoint(each))
    return endpoint_pb2.ClusterLoadAssignment(
        cluster_name=service,
        endpoints=[
            endpoint_components_pb2.LocalityLbEndpoints(
                locality=base_pb2.Locality(sub_zone=incarnation), lb_endpoints=found
            )
            for incarnation, found in processes.items()
        ],
    )


def page_endpoints(
    application: str, instances: Sequence[Instance]
) -> endpoint_pb2.ClusterLoadAssignment:
    """Return the load assignment of a web application: the instances that say they speak HTTP."""
    return endpoints(application, [each for each in instances if each.meta.get(PROTOCOL) == HTTP])


def has_address(instance: Instance) -> bool:
    """Whether Envoy can dial the instance: EDS takes IP addresses and sockets, but no names."""
    if instance.address.startswith(SOCKETS):
        return True
    try:
        ipaddress.ip_address(instance.address)
    except ValueError:
        return False
    return True


def _endpoint(instance: Instance) -> endpoint_components_pb2.LbEndpoint:
    return endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(address=_address(instance)),
        load_balancing_weight=UInt32Value(value=instance.weight),
    )


def _address(instance: Instance) -> address_pb2.Address:
    scheme, _, path = instance.address.partition(":")
    if scheme == "unix":
        return address_pb2.Address(pipe=address_pb2.Pipe(path=path.removeprefix("//")))
    if scheme == "unix-abstract":
        return address_pb2.Address(pipe=address_pb2.Pipe(path=f"@{path}"))
    return address_pb2.Address(
        socket_address=address_pb2.SocketAddress(address=instance.address, port_value=instance.port)
    )
