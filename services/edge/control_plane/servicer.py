"""The ADS service: sends each client what it asked for, now and after each change."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from services.chassis.telemetry import logs
from services.edge.control_plane.state import State
from services.edge.control_plane.subscriber import Rejection, Subscriber


class AggregatedDiscoveryServicer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc]
    """State-of-the-world ADS over one `State`; logs every rejection with its reason.

    A client that rejects a version goes on with the one before, and so does one that lost us.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._log = logs.get_logger("control_plane")

    async def StreamAggregatedResources(
        self,
        request_iterator: AsyncIterator[discovery_pb2.DiscoveryRequest],
        context: grpc.aio.ServicerContext[
            discovery_pb2.DiscoveryRequest, discovery_pb2.DiscoveryResponse
        ],
    ) -> AsyncIterator[discovery_pb2.DiscoveryResponse]:
        subscriber, wake = Subscriber(), asyncio.Event()
        reading = asyncio.create_task(self._read(request_iterator, subscriber, wake))
        reading.add_done_callback(lambda _: wake.set())
        try:
            with self._state.waking(wake):
                while not reading.done():
                    if self._state.current is not None:
                        for response in subscriber.due(self._state.current):
                            yield response
                    await wake.wait()
                    wake.clear()
            await reading
        finally:
            reading.cancel()

    async def _read(
        self,
        requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        subscriber: Subscriber,
        wake: asyncio.Event,
    ) -> None:
        async for request in requests:
            if not subscriber.node:
                self._log.info("client connected", node=request.node.id)
            rejection = subscriber.accept(request)
            if rejection is not None:
                self._log_rejection(rejection)
            wake.set()
        self._log.info("client left", node=subscriber.node)

    def _log_rejection(self, rejection: Rejection) -> None:
        self._log.error(
            "configuration rejected",
            node=rejection.node,
            type=rejection.type_url.rpartition(".")[2],
            version=rejection.version,
            cause=rejection.reason,
        )
