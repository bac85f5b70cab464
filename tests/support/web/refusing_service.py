"""A gRPC server that refuses every call as the call itself asks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

METHOD = "/tradepost.test.Refusing/Call"


class _Refusing(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> NoReturn:
    """Refuse with the code and the text in the request, `NOT_FOUND there is no such order`."""
    code, _, text = request.decode().partition(" ")
    info = AnyMessage()
    info.Pack(error_details_pb2.ErrorInfo(reason=f"{code}_REASON", domain="test"))
    status = status_pb2.Status(code=code_pb2.Code.Value(code), message=text, details=[info])
    refusal = rpc_status.to_status(status)
    await context.abort(refusal.code, refusal.details, refusal.trailing_metadata)


@asynccontextmanager
async def refusing_service() -> AsyncIterator[grpc.aio.Channel]:
    """Serve until the block ends; yields a channel to it."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Refusing(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)
