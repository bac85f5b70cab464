"""One instance of each service in this process, and calls of any of their methods.

Methods are found by their descriptors, so that a test can go through all of them.
"""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from discovery.clock import SystemClock
from services.chassis.identity.security import OPEN, Security
from services.chassis.ids import IdFactory
from services.chassis.server import assembly
from services.chassis.server.lifecycle import RunningServer, running
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings
from services.inventory.parts import Dependencies as InventoryDependencies
from services.inventory.service import build as build_inventory
from services.order.checkout.participants import ParticipantChannels
from services.order.parts import Dependencies
from services.order.service import build as build_order
from services.order.settings import SagaSettings
from services.payment.parts import Dependencies as PaymentDependencies
from services.payment.processor.driver import DriveTiming
from services.payment.processor.port import Processor
from services.payment.processor.urls import OpenedProcessor, open_processor
from services.payment.service import build as build_payment

CLOCK = SystemClock()
TIMEOUT_S = 60.0
# Sweeps don't run, so only calls change anything.
NEVER_S = 86_400.0
# Served by gRPC's own handler, without a table of request_ids.
NOT_OURS = frozenset(
    {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
)

Position: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rpc:
    """One method on one service's server."""

    service: str
    method: MethodDescriptor

    @property
    def name(self) -> str:
        """`tradepost.order.v1.OrderService/GetOrder`."""
        return f"{self.method.containing_service.full_name}/{self.method.name}"

    def request(self, fields: Mapping[str, Any]) -> Message:
        """The request with these fields, nested ones as mappings."""
        return message_factory.GetMessageClass(self.method.input_type)(**fields)


def served_rpcs(names_of: Mapping[str, tuple[str, ...]]) -> tuple[Rpc, ...]:
    """All methods of the gRPC services; `names_of` lists them by the server that serves them."""
    pool = descriptor_pool.Default()
    return tuple(
        Rpc(service, method)
        for service, names in names_of.items()
        for name in names
        if name not in NOT_OURS
        for method in pool.FindServiceByName(name).methods
    )


@dataclass(frozen=True, slots=True)
class Suite:
    """The servers, channels to them, their database files, and their methods."""

    servers: Mapping[str, RunningServer]
    channels: Mapping[str, grpc.aio.Channel]
    files: Mapping[str, sqlite3.Connection]
    rpcs: tuple[Rpc, ...]

    def rpc(self, name: str) -> Rpc:
        """The method whose name ends with `name`, of the first service that has it."""
        return next(each for each in self.rpcs if each.name.endswith(name))

    async def call(self, rpc: Rpc, request: Message) -> Message:
        """Call a method; return the answer, or the first one of a stream. Raises AioRpcError."""
        data = await self.send(rpc, request.SerializeToString())
        return message_factory.GetMessageClass(rpc.method.output_type).FromString(data)

    async def send(
        self, rpc: Rpc, request: bytes, metadata: tuple[tuple[str, str], ...] = ()
    ) -> bytes:
        """Call a method with any bytes; return the answer's bytes."""
        channel, path = self.channels[rpc.service], f"/{rpc.name}"
        if not rpc.method.server_streaming:
            unary = channel.unary_unary(path)
            answer: bytes = await unary(request, timeout=TIMEOUT_S, metadata=metadata)
            return answer
        stream = channel.unary_stream(path)(request, timeout=TIMEOUT_S, metadata=metadata)
        try:
            first: bytes = await stream.read()
            return first
        finally:
            stream.cancel()

    def positions(self) -> Mapping[str, Position]:
        """The position of each service's event log, and the number of request_ids it has stored."""
        query = "SELECT (SELECT position FROM event_counter), (SELECT count(*) FROM request)"
        return {service: file.execute(query).fetchone() for service, file in self.files.items()}


@asynccontextmanager
async def running_suite(
    folder: Path,
    *,
    seed: int = 5,
    processor: Processor | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    security: Callable[[], Security] = lambda: OPEN,
    callers: Sequence[grpc.aio.ClientInterceptor] = (),
) -> AsyncIterator[Suite]:
    """Three services, each on a port and on a file of its name in the folder.

    A second suite on the same folder is a second instance of each; it needs another seed. Without
    `processor` the simulated processor is used, and its service is served. The order service calls
    the others through `interceptors`, and tests call all of them through `callers`.
    """
    rng, settings = random.Random(seed), ServerSettings(port=0, drain_s=0, stop_grace_s=1)
    ids = IdFactory(clock=CLOCK, rng=rng)
    # The test ends them, whoever else wants to.
    ending = asyncio.Event().set
    serving = partial(running, settings=settings, clock=CLOCK, ids=ids, rng=rng, begin_stop=ending)
    servers: dict[str, RunningServer] = {}
    names: dict[str, tuple[str, ...]] = {}

    async with AsyncExitStack() as open_now:
        enter = open_now.enter_async_context

        async def serve(built: AbstractAsyncContextManager[Service]) -> grpc.aio.Channel:
            """Serve a service; return the channel through which the order service calls it."""
            service = await enter(built)
            own = security()
            servers[service.name] = server = await enter(serving(service, security=own))
            names[service.name] = assembly.service_names(service, settings, own)
            return await enter(
                grpc.aio.insecure_channel(server.endpoint, interceptors=interceptors)
            )

        stock = build_inventory(
            database_url=_url(folder, "inventory"),
            dependencies=InventoryDependencies(CLOCK, ids, rng, expire_every_s=NEVER_S),
        )
        processor_url = _url(folder, "processor")
        simulated = await enter(open_processor(processor_url, clock=CLOCK, owner="test"))
        payment = build_payment(
            database_url=_url(folder, "payment"),
            dependencies=_payment_dependencies(ids, rng, simulated, processor),
        )
        participants = ParticipantChannels(await serve(stock), await serve(payment))
        dependencies = Dependencies(CLOCK, ids, rng, participants, SagaSettings())
        await serve(build_order(database_url=_url(folder, "order"), dependencies=dependencies))
        yield await _suite(enter, servers, served_rpcs(names), folder, callers)


def _payment_dependencies(
    ids: IdFactory, rng: random.Random, simulated: OpenedProcessor, processor: Processor | None
) -> PaymentDependencies:
    return PaymentDependencies(
        clock=CLOCK,
        ids=ids,
        rng=rng,
        processor=processor or simulated.processor,
        testing=None if processor else simulated.testing,
        timing=DriveTiming(poll_s=0.02),
    )


def _url(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.db"


async def _suite(
    enter: Callable[[AbstractAsyncContextManager[Any]], Awaitable[Any]],
    servers: Mapping[str, RunningServer],
    rpcs: tuple[Rpc, ...],
    folder: Path,
    callers: Sequence[grpc.aio.ClientInterceptor],
) -> Suite:
    """The suite for tests: channels of their own, and the files."""
    channels = {
        service: await enter(grpc.aio.insecure_channel(server.endpoint, interceptors=callers))
        for service, server in servers.items()
    }
    files = {service: await enter(_opened(folder / f"{service}.db")) for service in servers}
    return Suite(servers, channels, files, rpcs)


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as file:
        yield file
