"""The ways to find an instance of a service that are compared; all lead to the same instances.

| name    | the client                                      | who finds and picks              |
|---------|-------------------------------------------------|----------------------------------|
| client  | `discovery`, `consul:///order`                  | `discovery`, by Consul's API     |
| envoy   | plain grpc.aio, the edge's address              | Envoy, told by our control plane |
| dns-srv | `discovery`, `dns://agent/order.service.consul` | `discovery`, by SRV records      |
| dns-a   | plain grpc.aio, `dns://agent/...:port`          | gRPC, by A records: equal ports  |
| xds     | plain grpc.aio, `xds:///order`                  | gRPC, told by our control plane  |

discovery, Envoy and xDS repeat safe calls by the contract; dns-a is given a `retryPolicy`, and
health checks, without which it calls a draining instance until that closes the connection.
"""

import json
from collections.abc import Mapping
from typing import Any

import grpc

import discovery
from scripts.benchmarks.discovery.stacks import RETRY_CONFIG

CLIENT, ENVOY, DNS_SRV, DNS_A, XDS = WAYS = ("client", "envoy", "dns-srv", "dns-a", "xds")
THROUGH_DISCOVERY = (CLIENT, DNS_SRV)
TITLES: Mapping[str, str] = {
    CLIENT: "client side",
    ENVOY: "Envoy",
    DNS_SRV: "DNS by `discovery` (SRV)",
    DNS_A: "DNS by gRPC (A, equal ports)",
    XDS: "`xds:///`",
}
_DNS_CONFIG: Mapping[str, Any] = {**RETRY_CONFIG, "healthCheckConfig": {"serviceName": ""}}
_OWN_CONNECTIONS = ("grpc.use_local_subchannel_pool", 1)
# By default gRPC asks a DNS server again after 30 s at the earliest.
_ASK_AGAIN = ("grpc.dns_min_time_between_resolutions_ms", 1_000)


def open_way(way: str, target: str) -> grpc.aio.Channel:
    """A new channel that finds instances in this way, with connections of its own."""
    if way in THROUGH_DISCOVERY:
        return discovery.open_channel(target)
    options: list[tuple[str, Any]] = [_OWN_CONNECTIONS]
    if way == DNS_A:
        options += [_ASK_AGAIN, ("grpc.service_config", json.dumps(_DNS_CONFIG))]
    return grpc.aio.insecure_channel(target, options)
