"""Servers that answer a health watch in other ways than a health service does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import grpc
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckResponse

from discovery.balancing import health

# Server interceptors and proxies end a watch with one of these.
REFUSALS = (
    StatusCode.UNAUTHENTICATED,
    StatusCode.PERMISSION_DENIED,
    StatusCode.NOT_FOUND,
    StatusCode.INVALID_ARGUMENT,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.INTERNAL,
    StatusCode.UNKNOWN,
    StatusCode.UNAVAILABLE,
)


class HealthHandler(grpc.GenericRpcHandler):
    """Answers `Health/Watch`; `requests` are those it was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Handle the watch and nothing else."""
        if handler_call_details.method != health.WATCH_PATH:
            return None
        return self.handler()

    def handler(self) -> Any:
        """The handler of the watch."""
        raise NotImplementedError


class RefusedWatch(HealthHandler):
    """Aborts the watch, as an interceptor does that wants a token."""

    def __init__(self, code: StatusCode) -> None:
        super().__init__()
        self._code = code

    def handler(self) -> Any:
        return grpc.unary_stream_rpc_method_handler(self._refuse)

    async def _refuse(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self.requests.append(request)
        await context.abort(self._code, "no token")
        yield b""


class UnaryReply(HealthHandler):
    """Answers with one message and the end, as a handler for all methods does."""

    def handler(self) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._answer)

    async def _answer(self, request: bytes, _context: Any) -> bytes:
        self.requests.append(request)
        return b"\xff a page of text"


class SilentWatch(HealthHandler):
    """Accepts the watch and never answers, as a handler does that waits for more requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def handler(self) -> Any:
        return grpc.unary_stream_rpc_method_handler(self._wait)

    async def _wait(self, request: bytes, _context: Any) -> AsyncIterator[bytes]:
        self.requests.append(request)
        self.asked.set()
        await asyncio.Event().wait()
        yield b""


class Unreported(HealthHandler):
    """Reports this status and nothing more, as a health service that doesn't know the name."""

    def __init__(self, status: "HealthCheckResponse.ServingStatus.ValueType") -> None:
        super().__init__()
        self._status = status

    def handler(self) -> Any:
        return grpc.unary_stream_rpc_method_handler(self._report)

    async def _report(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self.requests.append(request)
        yield HealthCheckResponse(status=self._status).SerializeToString()
        await context.abort(StatusCode.UNAVAILABLE, "the end")


# Each way not to say whether the server serves.
UNHELPFUL: dict[str, Callable[[], HealthHandler]] = {
    **{code.name: partial(RefusedWatch, code) for code in REFUSALS},
    "a unary reply": UnaryReply,
    "status SERVICE_UNKNOWN": partial(Unreported, HealthCheckResponse.SERVICE_UNKNOWN),
    "status UNKNOWN": partial(Unreported, HealthCheckResponse.UNKNOWN),
}
