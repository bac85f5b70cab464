"""A service for the tests of discovery: real servers on free ports, whose answers a test scripts.

Requests and responses are raw bytes; the descriptors in the default pool state which methods are
safe. An answer is the server's name, a colon, and the request.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
from google.protobuf import descriptor_pool, empty_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

import discovery
from discovery.aio.subchannel import Subchannel
from discovery.balancing.health import Health
from discovery.registry.instance import Instance
from tests.support.limits import WAIT_S

SERVICE = "discovery.probe.v1.Probe"
# The timeout of a call whose cancellation is waited for: it never ends by its deadline meanwhile.
LONG_S = 10 * WAIT_S

# Safe to send twice: Get, Put, Watch. Not: Post, and the client streams.
_METHODS: dict[str, tuple[bool, bool, "MethodOptions.IdempotencyLevel.ValueType"]] = {
    "Get": (False, False, MethodOptions.NO_SIDE_EFFECTS),
    "Put": (False, False, MethodOptions.IDEMPOTENT),
    "Post": (False, False, MethodOptions.IDEMPOTENCY_UNKNOWN),
    "Watch": (False, True, MethodOptions.NO_SIDE_EFFECTS),
    "Upload": (True, False, MethodOptions.IDEMPOTENCY_UNKNOWN),
    "Chat": (True, True, MethodOptions.IDEMPOTENCY_UNKNOWN),
}


def path(method: str) -> str:
    """The method's path."""
    return f"/{SERVICE}/{method}"


def describe(pool: descriptor_pool.DescriptorPool) -> None:
    """Add the service's descriptor to a pool."""
    file = FileDescriptorProto(
        name="discovery/probe/v1/probe.proto",
        package="discovery.probe.v1",
        syntax="proto3",
        dependency=["google/protobuf/empty.proto"],
    )
    service = file.service.add(name="Probe")
    for name, (client_streams, server_streams, level) in _METHODS.items():
        service.method.add(
            name=name,
            input_type=".google.protobuf.Empty",
            output_type=".google.protobuf.Empty",
            client_streaming=client_streams,
            server_streaming=server_streams,
            options=MethodOptions(idempotency_level=level),
        )
    pool.AddSerializedFile(file.SerializeToString())


assert empty_pb2.DESCRIPTOR  # the dependency is in the default pool
describe(descriptor_pool.Default())


@dataclass(frozen=True)
class Seen:
    """A call as a server saw it."""

    method: str
    request: bytes
    metadata: dict[str, str | bytes]
    time_remaining_s: float | None


@dataclass(frozen=True)
class Refusal:
    """An error to answer one call with."""

    code: grpc.StatusCode
    trailing: tuple[tuple[str, str], ...] = ()


@dataclass
class Probe:
    """One server. `script` has the errors it answers next; when it is empty, it answers OK."""

    name: str
    port: int = 0
    host: str = "127.0.0.1"
    seen: list[Seen] = field(default_factory=list)
    script: deque[Refusal] = field(default_factory=deque)
    # Answers wait until this is set.
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    # One permit for each call that was cancelled before its gate opened.
    cancellations: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    server: grpc.aio.Server | None = None
    health: health_aio.HealthServicer | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def address(self) -> str:
        """The address that clients connect to."""
        return f"{self.host}:{self.port}"

    def instance(self, *, incarnation: str = "1", weight: int = 1) -> Instance:
        """The instance as it is registered."""
        return Instance(
            instance_id=self.name,
            service="probe",
            address=self.host,
            port=self.port,
            weight=weight,
            incarnation=incarnation,
        )

    async def wait_for_calls(self, number: int) -> None:
        """Return once the server has seen this many calls."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: len(self.seen) >= number)

    async def was_cancelled(self) -> None:
        """Return once a call was cancelled, each time one more.

        A deadline cancels a call, too, so the deadlines of these tests are longer than the wait.
        """
        async with asyncio.timeout(WAIT_S):
            await self.cancellations.acquire()

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop serving; without a grace period, calls in flight are cancelled."""
        server, self.server = self.server, None
        if server is not None:
            await server.stop(grace_s)

    async def set_health(self, status: int) -> None:
        """Change the answer of the health service."""
        assert self.health is not None
        await self.health.set("", status)

    async def _enter(self, method: str, request: bytes, context: Any) -> None:
        seen = Seen(
            method, request, dict(context.invocation_metadata() or ()), context.time_remaining()
        )
        self.seen.append(seen)
        async with self.changed:
            self.changed.notify_all()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancellations.release()
            raise
        if self.script:
            refusal = self.script.popleft()
            await context.abort(refusal.code, "scripted", refusal.trailing)

    def _answer(self, request: bytes) -> bytes:
        return f"{self.name}:".encode() + request

    def unary(self, method: str) -> Callable[[bytes, Any], Any]:
        """The handler of a unary method."""

        async def handle(request: bytes, context: Any) -> bytes:
            await self._enter(method, request, context)
            context.set_trailing_metadata((("served-by", self.name),))
            return self._answer(request)

        return handle

    async def watch(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        """Answer three times; b"then fail" fails after the first, b"headers"
        sends metadata first.
        """
        if request == b"headers":
            await context.send_initial_metadata((("served-by", self.name),))
        await self._enter("Watch", request, context)
        for number in range(3):
            if number and request == b"then fail":
                await context.abort(grpc.StatusCode.UNAVAILABLE, "scripted")
            yield self._answer(request) + b"%d" % number

    async def upload(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        """Answer with all requests in one."""
        await self._enter("Upload", b"", context)
        return self._answer(b"".join([request async for request in requests]))

    async def chat(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answer each request."""
        await self._enter("Chat", b"", context)
        async for request in requests:
            yield self._answer(request)


@asynccontextmanager
async def running(
    name: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    health: int | None = None,
    handlers: Sequence[grpc.GenericRpcHandler] = (),
) -> AsyncIterator[Probe]:
    """Run a server until the end of the block; `health` is the first answer of its health service,
    and `handlers` answer other calls.
    """
    probe = Probe(name, host=host)
    probe.gate.set()
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        name: grpc.unary_unary_rpc_method_handler(probe.unary(name))
        for name in ("Get", "Put", "Post")
    }
    methods["Watch"] = grpc.unary_stream_rpc_method_handler(probe.watch)
    methods["Upload"] = grpc.stream_unary_rpc_method_handler(probe.upload)
    methods["Chat"] = grpc.stream_stream_rpc_method_handler(probe.chat)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_generic_rpc_handlers(tuple(handlers))
    if health is not None:
        probe.health = health_aio.HealthServicer()
        await probe.health.set("", health)
        health_pb2_grpc.add_HealthServicer_to_server(probe.health, server)
    probe.port = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    probe.server = server
    try:
        yield probe
    finally:
        probe.gate.set()
        await probe.stop()


SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Start(Protocol):
    """Starts a server that runs until the end of the test (the fixture `start`)."""

    async def __call__(self, name: str, **options: Any) -> Probe: ...


class Open(Protocol):
    """Opens a channel to some servers until the end of the test (the fixture `open_to`)."""

    def __call__(self, *probes: Probe, **options: Any) -> discovery.Channel: ...


async def ready(channel: discovery.Channel, number: int) -> None:
    """Return once this many instances can be picked."""
    channel.get_state(try_to_connect=True)
    while [one.state.name for one in subchannels(channel)].count("READY") < number:
        await channel._balancer.change()


def subchannels(channel: discovery.Channel) -> list[Subchannel]:
    """The channel's connections."""
    return list(channel._balancer._subchannels.values())


def in_flight(channel: discovery.Channel) -> int:
    """How many attempts are in flight."""
    return sum(one.load.in_flight for one in subchannels(channel))


async def ended_unnoticed(channel: discovery.Channel, probe: Probe) -> None:
    """Stop a server, and restore the channel's state as if it had not noticed."""
    (one,) = (one for one in subchannels(channel) if one.instance.endpoint == probe.address)
    await probe.stop()
    while one.state is grpc.ChannelConnectivity.READY:
        await channel._balancer.change()
    one._connectivity, one._health = grpc.ChannelConnectivity.READY, Health.SERVING
    one._update()


def ready_once(real: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """An `is_still_ready` that says yes once, as if the connection were lost right after it."""
    asked: list[object] = []

    def is_still_ready(subchannel: object) -> bool:
        asked.append(subchannel)
        return len(asked) == 1 or real(subchannel)

    return is_still_ready


async def failed(channel: discovery.Channel) -> None:
    """Return once the channel is in TRANSIENT_FAILURE."""
    while channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
        await channel.wait_for_state_change(channel.get_state())
