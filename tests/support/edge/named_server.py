"""A server that answers ListOrders with its own name as the page token: it shows who was called."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from tradepost.order.v1.order_service_pb2 import ListOrdersResponse

from discovery.registry.instance import Instance
from tests.support.edge.running_edge import instance_at


class NamedServer:
    """An instance of `order` as the registry knows it, at `host` and a free port or this one."""

    def __init__(self, name: str, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.name = name
        self._server = grpc.aio.server()
        handlers = {"ListOrders": grpc.unary_unary_rpc_method_handler(self._list)}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("tradepost.order.v1.OrderService", handlers),)
        )
        self.port = self._server.add_insecure_port(f"{host}:{port}")
        self.instance: Instance = instance_at("order", f"{host}:{self.port}", name)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace_s: float | None = None) -> None:
        """Let calls in flight finish for this long; without a time, break all connections."""
        await self._server.stop(grace_s)

    async def _list(self, _: bytes, __: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return ListOrdersResponse(next_page_token=self.name).SerializeToString()


@asynccontextmanager
async def named_servers(*servers: NamedServer) -> AsyncIterator[None]:
    """Serve until the block ends."""
    for server in servers:
        await server.start()
    try:
        yield
    finally:
        for server in servers:
            await server.stop()
