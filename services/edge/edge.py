"""The control plane as it runs: follows the registry and answers Envoys."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc

from discovery.clock import Clock
from discovery.registry.protocols import Watcher
from services.chassis.environment import SettingError
from services.chassis.identity.caller import Caller
from services.chassis.server import background
from services.chassis.server.errors import CannotListenError
from services.edge.contract.contract import Contract
from services.edge.control_plane.envoy_publisher import CertificateSources, EnvoyPublisher
from services.edge.control_plane.registry_watch import Instances, RegistryWatch
from services.edge.control_plane.servicer import AggregatedDiscoveryServicer
from services.edge.control_plane.snapshot import snapshot
from services.edge.control_plane.state import State
from services.edge.proxyless.client_resources import client_resources
from services.edge.resources.filters.token_check import AcceptedTokens
from services.edge.resources.resources import applications_of, services_of
from services.edge.settings import EdgeSettings

_NONE = CertificateSources()
_ITSELF = Caller(service="edge")


@asynccontextmanager
async def control_plane(
    addresses: Sequence[str],
    *,
    contract: Contract,
    settings: EdgeSettings,
    watcher: Watcher,
    clock: Clock,
    rng: random.Random,
    tokens: AsyncIterator[AcceptedTokens] | None = None,
    certificates: CertificateSources = _NONE,
) -> AsyncIterator[State]:
    """Serve ADS at these addresses (`host:port`, `unix:path`) until the block ends.

    `tokens` yields which tokens are accepted, now and after each change; without it the edge asks
    nobody for a token. `certificates` are what Envoys show; without them they speak no TLS. Yields
    what Envoys are sent. Nothing is sent before each service has an instance or `first_instances_s`
    have passed, and to Envoys nothing before `tokens` has yielded. Raises CannotListenError.
    """
    envoys, grpc_clients = State(), State()
    publisher = EnvoyPublisher(envoys, contract, settings, tokens=tokens, certificates=certificates)

    def publish(instances: Instances) -> None:
        publisher.accept_instances(instances)
        grpc_clients.publish(snapshot(client_resources(instances, contract, settings)))

    watch = RegistryWatch(
        (*services_of(contract), *applications_of(settings)),
        watcher=watcher,
        clock=clock,
        rng=rng,
        changed=publish,
        first_instances_s=settings.first_instances_s,
    )
    server = grpc.aio.server()
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(
        AggregatedDiscoveryServicer(envoys, grpc_clients), server
    )
    for address in addresses:
        _listen(server, address)
    await server.start()
    try:
        # One that failed would leave Envoys with what they have for ever: the block ends, too.
        async with background.tasks(_ITSELF) as start:
            start(watch.run)
            start(publisher.run)
            yield envoys
    finally:
        # Envoys keep what they have; they connect again to the next control plane.
        await server.stop(None)


def check_applications(settings: EdgeSettings, contract: Contract) -> None:
    """Raise SettingError for a web application that has the name of a service of the contract."""
    for name in applications_of(settings):
        if name in services_of(contract):
            raise SettingError(
                "TRADEPOST_EDGE_PAGES", f"{name} is a service of the contracts, which has no pages"
            )


def _listen(server: grpc.aio.Server, address: str) -> None:
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has written the reason to standard error
        raise CannotListenError(address, "TRADEPOST_EDGE_XDS_PORT") from error
