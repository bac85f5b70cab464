"""The server that all compared programs call: it takes bytes and follows orders in the request.

Each character of a request is an order: "." answers (a stream: one message), "!" aborts, "?" waits
to be cancelled, "x" raises, "h" sends the initial metadata at once, "g" waits for the gate, "-" is
nothing.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc

SERVICE = "discovery.testing.Scripted"
# The discard port, on which nothing listens.
NO_LISTENER = "127.0.0.1:9"
ABORTED = (
    grpc.StatusCode.FAILED_PRECONDITION,
    "asked to abort",
    (("why", "told"), ("b-bin", b"\0")),
)


def path(method: str) -> str:
    """The full path of a method: Unary, Responses, Requests or Both."""
    return f"/{SERVICE}/{method}"


class ScriptedServer:
    """One server, and what it has seen since `begin`."""

    def __init__(self) -> None:
        self.port = 0
        self.begin()

    @property
    def address(self) -> str:
        """The address that clients connect to."""
        return f"127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Forget what was seen, for the next program."""
        self.entered = asyncio.Event()
        self.over = asyncio.Event()
        self.gate = asyncio.Event()
        self.metadata: list[tuple[str, str | bytes]] = []

    @asynccontextmanager
    async def _noting(self, context: Any) -> AsyncIterator[None]:
        """Record the call and its end; send back the metadata whose keys ask for it."""
        over = self.over
        context.add_done_callback(lambda _: over.set())
        self.metadata = [tuple(pair) for pair in context.invocation_metadata()]
        context.set_trailing_metadata(
            [pair for pair in self.metadata if pair[0].startswith("trailing")]
        )
        self.entered.set()
        yield

    async def _obey(self, order: str, context: Any) -> None:
        match order:
            case "!":
                await context.abort(*ABORTED)
            case "?":
                await asyncio.Event().wait()
            case "x":
                raise RuntimeError("asked to raise")
            case "h":
                await context.send_initial_metadata(
                    [pair for pair in self.metadata if pair[0].startswith("initial")]
                )
            case "g":
                await self.gate.wait()

    async def unary(self, request: bytes, context: Any) -> bytes:
        """Answer with the request, once every order in it is carried out."""
        async with self._noting(context):
            for order in request[:8].decode():
                await self._obey(order, context)
        return request

    async def responses(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        """Answer each "." with its position."""
        async with self._noting(context):
            for place, order in enumerate(request.decode()):
                await self._obey(order, context)
                if order == ".":
                    yield b"%d" % place

    async def requests(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        """Answer all requests in one."""
        joined = b""
        async with self._noting(context):
            async for request in requests:
                await self._obey(request[:1].decode(), context)
                joined += request
        return joined

    async def both(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answer each request with itself."""
        async with self._noting(context):
            async for request in requests:
                await self._obey(request[:1].decode(), context)
                yield request


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that refuses connections until a server takes it, and that is given to no other."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@asynccontextmanager
async def scripted_server(
    *,
    port: int = 0,
    address: str | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[ScriptedServer]:
    """Run a server until the end of the block, on a port or at an address such as `unix:path`.

    With credentials it speaks TLS.
    """
    scripted = ScriptedServer()
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Unary": grpc.unary_unary_rpc_method_handler(scripted.unary),
        "Responses": grpc.unary_stream_rpc_method_handler(scripted.responses),
        "Requests": grpc.stream_unary_rpc_method_handler(scripted.requests),
        "Both": grpc.stream_stream_rpc_method_handler(scripted.both),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    at = address or f"127.0.0.1:{port}"
    if credentials is None:
        scripted.port = server.add_insecure_port(at)
    else:
        scripted.port = server.add_secure_port(at, credentials)
    await server.start()
    try:
        yield scripted
    finally:
        scripted.gate.set()
        await server.stop(None)
