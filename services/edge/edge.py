"""The control plane as it runs: follows the registry and answers Envoys."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc

from discovery.clock import Clock
from discovery.registry.protocols import Watcher
from services.chassis.server.errors import CannotListenError
from services.edge.contract.contract import Contract
from services.edge.control_plane.registry_watch import Instances, RegistryWatch
from services.edge.control_plane.servicer import AggregatedDiscoveryServicer
from services.edge.control_plane.snapshot import snapshot
from services.edge.control_plane.state import State
from services.edge.proxyless.client_resources import client_resources
from services.edge.resources.resources import resources, services_of
from services.edge.settings import EdgeSettings


@asynccontextmanager
async def control_plane(
    addresses: Sequence[str],
    *,
    contract: Contract,
    settings: EdgeSettings,
    watcher: Watcher,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[State]:
    """Serve ADS at these addresses (`host:port`, `unix:path`) until the block ends.

    Yields what Envoys are sent. Nothing is sent before all services were asked for at the registry.
    Raises CannotListenError.
    """
    envoys, grpc_clients = State(), State()

    def publish(instances: Instances) -> None:
        envoys.publish(snapshot(resources(instances, contract, settings)))
        grpc_clients.publish(snapshot(client_resources(instances, contract, settings)))

    watch = RegistryWatch(
        services_of(contract), watcher=watcher, clock=clock, rng=rng, changed=publish
    )
    server = grpc.aio.server()
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(
        AggregatedDiscoveryServicer(envoys, grpc_clients), server
    )
    for address in addresses:
        _listen(server, address)
    await server.start()
    watching = asyncio.create_task(watch.run())
    try:
        yield envoys
    finally:
        watching.cancel()
        # Envoys keep what they have; they connect again to the next control plane.
        await server.stop(None)


def _listen(server: grpc.aio.Server, address: str) -> None:
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has written the reason to standard error
        raise CannotListenError(address, "TRADEPOST_EDGE_XDS_PORT") from error
