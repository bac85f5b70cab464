"""Who may call which service, derived from the access that the contracts state for each RPC."""

import importlib
from collections.abc import Collection, Iterator
from pathlib import Path

import tradepost
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from tradepost.policy.v1.policy_pb2 import MethodPolicy, policy

# What serves people's calls over HTTP, the web applications of customers and of operators, and the
# program of an operator: all connect with a certificate, like every service.
EDGE = "edge"
STOREFRONT = "storefront"
CONSOLE = "console"
WEB_APPLICATIONS = (STOREFRONT, CONSOLE)
OPERATOR = "operator"


def allowed_calls(services: Collection[str]) -> frozenset[tuple[str, str]]:
    """The pairs (caller, called service) that some RPC allows; `services` are those of the suite.

    The edge and the storefront call what an RPC publishes over HTTP, and the edge calls the web
    applications. An operator's program and the console call every service, because each one serves
    its subscriptions and dead letters on its own port only.
    """
    pairs = {(caller, service) for caller in (OPERATOR, CONSOLE) for service in services}
    pairs |= {(EDGE, application) for application in WEB_APPLICATIONS}
    for method in methods():
        stated = policy_of(method)
        callers = {*stated.access.peers, *((EDGE, STOREFRONT) if stated.http else ())}
        servers = serving(method.containing_service, services)
        pairs |= {(caller, server) for caller in callers for server in servers}
    return frozenset(pairs)


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC of every contract."""
    for file in _contracts():
        for service in file.services_by_name.values():
            yield from service.methods


def policy_of(method: MethodDescriptor) -> MethodPolicy:
    """What the contract says about calling the RPC."""
    stated: MethodPolicy = method.GetOptions().Extensions[policy]
    return stated


def serving(service: ServiceDescriptor, services: Collection[str]) -> tuple[str, ...]:
    """The services that may serve a gRPC service: the one in its package's name, otherwise all.

    `tradepost.order.admin.v1.SagaAdminService` is served by `order`; `tradepost.event.v1` and
    `tradepost.instance.v1` belong to the chassis and are served by any of them.
    """
    owner = service.full_name.split(".")[1]
    return (owner,) if owner in services else tuple(services)


def _contracts() -> Iterator[FileDescriptor]:
    for folder in map(Path, tradepost.__path__):
        for file in sorted(folder.rglob("*_service_pb2.py")):
            parts = file.relative_to(folder.parent).with_suffix("").parts
            yield importlib.import_module(".".join(parts)).DESCRIPTOR
