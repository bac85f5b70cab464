"""A server that answers every gRPC call with its name, to see which instance Envoy chose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

_CHECK = "/grpc.health.v1.Health/Check"


@dataclass(slots=True)
class AnsweringServer(grpc.GenericRpcHandler):
    """A running server, and how many calls it answered."""

    name: str
    endpoint: str = ""
    calls: int = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Answer any method; the check of a registry is told that all is well."""
        if handler_call_details.method == _CHECK:
            return grpc.unary_unary_rpc_method_handler(_serving)
        return grpc.unary_unary_rpc_method_handler(self._answer)

    async def _answer(
        self, _request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> bytes:
        self.calls += 1
        return self.name.encode()


async def _serving(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    serving = health_pb2.HealthCheckResponse.SERVING
    return health_pb2.HealthCheckResponse(status=serving).SerializeToString()


@asynccontextmanager
async def answering_server(name: str) -> AsyncIterator[AnsweringServer]:
    """Serve on a free port until the block ends."""
    answering, server = AnsweringServer(name), grpc.aio.server()
    server.add_generic_rpc_handlers((answering,))
    answering.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield answering
    finally:
        await server.stop(None)
