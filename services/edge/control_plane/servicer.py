"""The ADS service: sends each client what it asked for, now and after each change."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from services.chassis.telemetry import logs
from services.edge.control_plane.state import State
from services.edge.control_plane.subscriber import Rejection, Subscriber

# "gRPC C-core linux", "gRPC Node Pure JS", "gRPC Java", "gRPC Go".
_GRPC = "gRPC "
_UNIX_SOCKET = "unix:"


class AggregatedDiscoveryServicer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc]
    """State-of-the-world ADS; logs every rejection with its reason.

    Envoys get the state `envoys`; clients of gRPC, in any language, get `grpc_clients`. One that
    rejects a version goes on with the one before, and so does one that lost us. Private keys are
    sent over a Unix socket only: a port of this machine can be reached by all of its users.
    """

    def __init__(self, envoys: State, grpc_clients: State) -> None:
        self._envoys = envoys
        self._grpc_clients = grpc_clients
        self._log = logs.get_logger("control_plane")

    async def StreamAggregatedResources(
        self,
        request_iterator: AsyncIterator[discovery_pb2.DiscoveryRequest],
        context: grpc.aio.ServicerContext[
            discovery_pb2.DiscoveryRequest, discovery_pb2.DiscoveryResponse
        ],
    ) -> AsyncIterator[discovery_pb2.DiscoveryResponse]:
        first = await anext(request_iterator, None)
        if first is None:
            return
        wake = asyncio.Event()
        subscriber = Subscriber(with_secrets=context.peer().startswith(_UNIX_SOCKET))
        state = self._state_for(first.node)
        self._log.info("client_connected", node=first.node.id, program=first.node.user_agent_name)
        subscriber.accept(first)
        reading = asyncio.create_task(self._read(request_iterator, subscriber, wake))
        reading.add_done_callback(lambda _: wake.set())
        try:
            with state.waking(wake):
                while not reading.done():
                    if state.current is not None:
                        for response in subscriber.due(state.current):
                            yield response
                    await wake.wait()
                    wake.clear()
            await reading
        finally:
            reading.cancel()

    def _state_for(self, node: base_pb2.Node) -> State:
        is_grpc = node.user_agent_name.startswith(_GRPC)
        return self._grpc_clients if is_grpc else self._envoys

    async def _read(
        self,
        requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        subscriber: Subscriber,
        wake: asyncio.Event,
    ) -> None:
        async for request in requests:
            rejection = subscriber.accept(request)
            if rejection is not None:
                self._log_rejection(rejection)
            wake.set()
        self._log.info("client_left", node=subscriber.node)

    def _log_rejection(self, rejection: Rejection) -> None:
        self._log.error(
            "configuration_rejected",
            node=rejection.node,
            type=rejection.type_url.rpartition(".")[2],
            version=rejection.version,
            cause=rejection.reason,
        )
