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
from services.edge.resources.filters.token_check import AcceptedTokens
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
    tokens: AsyncIterator[AcceptedTokens] | None = None,
) -> AsyncIterator[State]:
    """Serve ADS at these addresses (`host:port`, `unix:path`) until the block ends.

    `tokens` yields which tokens are accepted, now and after each change; without it the edge asks
    nobody for a token. Yields what Envoys are sent. Nothing is sent before all services were asked
    for at the registry, and to Envoys nothing before `tokens` has yielded. Raises
    CannotListenError.
    """
    envoys, grpc_clients = State(), State()
    publisher = _EnvoyPublisher(envoys, contract, settings, has_tokens=tokens is not None)

    def publish(instances: Instances) -> None:
        publisher.accept_instances(instances)
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
    tasks = [asyncio.create_task(watch.run())]
    if tokens is not None:
        tasks.append(asyncio.create_task(publisher.follow(tokens)))
    try:
        yield envoys
    finally:
        for task in tasks:
            task.cancel()
        # Envoys keep what they have; they connect again to the next control plane.
        await server.stop(None)


class _EnvoyPublisher:
    """Publishes a snapshot for each change of what Envoy's configuration depends on."""

    def __init__(
        self, state: State, contract: Contract, settings: EdgeSettings, *, has_tokens: bool
    ) -> None:
        self._state = state
        self._contract = contract
        self._settings = settings
        self._has_tokens = has_tokens
        self._tokens: AcceptedTokens | None = None
        self._instances: Instances | None = None

    def accept_instances(self, instances: Instances) -> None:
        """Take the instances of all services."""
        self._instances = instances
        self._publish()

    async def follow(self, tokens: AsyncIterator[AcceptedTokens]) -> None:
        """Take what is accepted from now on, until cancelled."""
        async for accepted in tokens:
            self._tokens = accepted
            self._publish()

    def _publish(self) -> None:
        if self._instances is None or (self._has_tokens and self._tokens is None):
            return
        made = resources(self._instances, self._contract, self._settings, self._tokens)
        self._state.publish(snapshot(made))


def _listen(server: grpc.aio.Server, address: str) -> None:
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has written the reason to standard error
        raise CannotListenError(address, "TRADEPOST_EDGE_XDS_PORT") from error
