"""A service for tests of the server: one method of each kind, with behaviors of the test.

    async def unary(request, context): ...

    async with echo_server(unary=unary) as echo:
        assert await echo.unary("hi") == "hi"

Texts are sent as google.protobuf.StringValue. Of the contract there is only what a test reads.
"""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from google.protobuf.wrappers_pb2 import StringValue
from tradepost.policy.v1 import policy_pb2

from discovery.clock import Clock, SystemClock
from discovery.registry.protocols import Registrar
from services.chassis.identity.security import OPEN, Security
from services.chassis.ids import IdFactory
from services.chassis.server.instrumentation import Recorders
from services.chassis.server.lifecycle import RunningServer, running
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings

SERVICE_NAME = "tradepost.echo.Echo"
_FACTORIES: Mapping[str, Callable[..., Any]] = {
    "Unary": grpc.unary_unary_rpc_method_handler,
    # A second unary method, for tests of what differs by method: its contract says that it waits,
    # and not who may call it.
    "Second": grpc.unary_unary_rpc_method_handler,
    # A third one, whose contract says that it only reads, and how long its answer may be reused.
    "Reusable": grpc.unary_unary_rpc_method_handler,
    "UnaryStream": grpc.unary_stream_rpc_method_handler,
    "StreamUnary": grpc.stream_unary_rpc_method_handler,
    "StreamStream": grpc.stream_stream_rpc_method_handler,
}


def _contract() -> FileDescriptor:
    text = f".{StringValue.DESCRIPTOR.full_name}"
    file = FileDescriptorProto(
        name="tradepost/echo/echo.proto",
        package="tradepost.echo",
        syntax="proto3",
        dependency=[StringValue.DESCRIPTOR.file.name, policy_pb2.DESCRIPTOR.name],
    )
    echo = file.service.add(name="Echo")
    second = echo.method.add(name="Second", input_type=text, output_type=text)
    second.options.Extensions[policy_pb2.policy].waits = True
    reusable = echo.method.add(name="Reusable", input_type=text, output_type=text)
    reusable.options.idempotency_level = MethodOptions.NO_SIDE_EFFECTS
    reusable.options.Extensions[policy_pb2.policy].max_age.seconds = 5
    for name, streams in (("Unary", False), ("UnaryStream", True)):
        method = echo.method.add(
            name=name, input_type=text, output_type=text, server_streaming=streams
        )
        access = method.options.Extensions[policy_pb2.policy].access
        access.roles.append(policy_pb2.ROLE_CLERK)
        access.peers.append("shop")
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return descriptor_pool.Default().FindFileByName(file.name)


CONTRACT = _contract()


def path(method: str) -> str:
    """Return the full path of a method of this service."""
    return f"/{SERVICE_NAME}/{method}"


async def repeat(request: StringValue, context: object) -> StringValue:
    """Return the request."""
    return request


async def repeat_stream(request: StringValue, context: object) -> AsyncIterator[StringValue]:
    """Yield each character of the request."""
    for character in request.value:
        yield StringValue(value=character)


async def join(requests: AsyncIterator[StringValue], context: object) -> StringValue:
    """Return the texts of all requests as one."""
    return StringValue(value="".join([request.value async for request in requests]))


async def repeat_each(
    requests: AsyncIterator[StringValue], context: object
) -> AsyncIterator[StringValue]:
    """Yield each request."""
    async for request in requests:
        yield request


@dataclass(frozen=True, slots=True)
class Echo:
    """Calls the running service on a plain channel."""

    server: RunningServer
    channel: grpc.aio.Channel

    def unary(self, text: str = "", *, method: str = "Unary", **options: Any) -> Any:
        """Make a unary call; awaiting it returns the message."""
        return self._call("unary_unary", method)(StringValue(value=text), **options)

    def unary_stream(self, text: str = "", **options: Any) -> Any:
        """Make a call with a stream of responses."""
        return self._call("unary_stream", "UnaryStream")(StringValue(value=text), **options)

    def stream_unary(self, *texts: str, **options: Any) -> Any:
        """Make a call with a stream of requests."""
        requests = [StringValue(value=text) for text in texts]
        return self._call("stream_unary", "StreamUnary")(requests, **options)

    def stream_stream(self, *texts: str, **options: Any) -> Any:
        """Make a call with streams in both directions."""
        requests = [StringValue(value=text) for text in texts]
        return self._call("stream_stream", "StreamStream")(requests, **options)

    def raw(self, request: bytes, **options: Any) -> Any:
        """Make a unary call with any bytes as its request."""
        return self.channel.unary_unary(path("Unary"))(request, **options)

    def _call(self, kind: str, method: str) -> Any:
        return getattr(self.channel, kind)(
            path(method), StringValue.SerializeToString, StringValue.FromString
        )


def echo_service(
    *,
    name: str = "echo",
    unary: Callable[..., Any] = repeat,
    second: Callable[..., Any] = repeat,
    reusable: Callable[..., Any] = repeat,
    unary_stream: Callable[..., Any] = repeat_stream,
    stream_unary: Callable[..., Any] = join,
    stream_stream: Callable[..., Any] = repeat_each,
    **fields: Any,
) -> Service:
    """Make the service with these behaviors; `fields` are those of Service."""
    behaviors = (unary, second, reusable, unary_stream, stream_unary, stream_stream)
    handlers = {
        name: factory(behavior, StringValue.FromString, StringValue.SerializeToString)
        for (name, factory), behavior in zip(_FACTORIES.items(), behaviors, strict=True)
    }
    return Service(
        name=name,
        servicers=[partial(_add, handlers)],
        service_names=[SERVICE_NAME],
        **fields,
    )


@asynccontextmanager
async def echo_server(
    *,
    clock: Clock | None = None,
    registrar: Registrar | None = None,
    recorders: Recorders | None = None,
    security: Security = OPEN,
    settings: Mapping[str, Any] | None = None,
    begin_stop: Callable[[], object] | None = None,
    **service: Any,
) -> AsyncIterator[Echo]:
    """Serve `echo_service(**service)` on a free port, without a drain, and connect to it."""
    clock = clock or SystemClock()
    rng = random.Random(7)
    async with (
        running(
            echo_service(**service),
            settings=ServerSettings(**{"drain_s": 0, "stop_grace_s": 2, **(settings or {})}),
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
            registrar=registrar,
            recorders=recorders,
            security=security,
            begin_stop=begin_stop,
        ) as server,
        grpc.aio.insecure_channel(server.endpoint) as channel,
    ):
        yield Echo(server, channel)


def _add(handlers: Mapping[str, Any], server: grpc.aio.Server) -> None:
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),))
