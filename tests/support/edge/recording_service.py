"""A gRPC server that answers every unary method with an empty message, and notes who called.

What it returns is as empty as possible, so a test sees what the edge made of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from services.chassis.server.assembly import MAX_METADATA_BYTES


@dataclass(slots=True)
class RecordingService:
    """The port, and the metadata of each call by the method's name.

    `times_left_s` are the seconds that each call had until its deadline, or None without one.
    Calls of the methods in `silent` are answered once `released` is set.
    """

    port: int
    calls: list[tuple[str, dict[str, str | bytes]]] = field(default_factory=list)
    times_left_s: list[float | None] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def recording_service(
    metadata: tuple[tuple[str, str], ...],
    answer_to: Callable[[Mapping[str, str | bytes]], bytes] = lambda _metadata: b"",
) -> AsyncIterator[RecordingService]:
    """Serve on a free port until the block ends; each answer has this initial metadata.

    `answer_to` makes the message of an answer from the metadata of its call.
    """
    # The limit of our services.
    server = grpc.aio.server(options=[("grpc.max_metadata_size", MAX_METADATA_BYTES)])
    recording = RecordingService(server.add_insecure_port("127.0.0.1:0"))

    class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
        """Serves whatever is called."""

        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            called = details.method.rpartition("/")[2], dict(details.invocation_metadata)

            async def answer(_request: bytes, context: grpc.aio.ServicerContext) -> bytes:
                recording.calls.append(called)
                recording.times_left_s.append(context.time_remaining())
                if called[0] in recording.silent:
                    await recording.released.wait()
                await context.send_initial_metadata(metadata)
                return answer_to(called[1])

            return grpc.unary_unary_rpc_method_handler(answer)

    server.add_generic_rpc_handlers((Handlers(),))
    await server.start()
    try:
        yield recording
    finally:
        await server.stop(None)
