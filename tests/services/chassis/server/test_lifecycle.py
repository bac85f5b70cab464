"""The life of a serving process: how it starts and how it stops."""

import asyncio
import os
import random
import signal
import sys
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from discovery.clock import SystemClock
from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry
from services.chassis.ids import IdFactory
from services.chassis.server.errors import CannotListenError
from services.chassis.server.lifecycle import serve
from services.chassis.server.process import SWITCH_INTERVAL_S
from services.chassis.server.settings import ServerSettings
from tests.support.chassis.echo_service import echo_server, echo_service
from tests.support.clock.manual_clock import ManualClock

Code = grpc.StatusCode
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class RecordingRegistry(MemoryRegistry):
    """A registry that records registrations, and events that the test adds."""

    def __init__(self) -> None:
        super().__init__()
        self._noted = asyncio.Condition()
        self.entries: list[str] = []
        self.registered: list[Instance] = []

    async def register(self, instance: Instance) -> None:
        await super().register(instance)
        self.registered.append(instance)
        await self.write("registered")

    async def deregister(self, instance: Instance) -> None:
        await super().deregister(instance)
        await self.write("deregistered")

    def note(self, entry: str) -> Any:
        """Make a hook that adds an entry."""

        async def hook() -> None:
            await self.write(entry)

        return hook

    async def has(self, *entries: str) -> None:
        """Return once all of these entries are recorded."""
        async with self._noted:
            await self._noted.wait_for(lambda: set(entries) <= set(self.entries))

    async def write(self, entry: str) -> None:
        """Add an entry."""
        async with self._noted:
            self.entries.append(entry)
            self._noted.notify_all()

    async def first(self) -> Instance:
        """Return the instance, once it is registered."""
        async for instances in self.watch("echo"):
            if instances:
                return instances[0]
        raise AssertionError("a watch never ends")


async def watch_health(endpoint: str, registry: RecordingRegistry, watching: asyncio.Event) -> None:
    """Record the server's health until it ends the stream."""
    async with grpc.aio.insecure_channel(endpoint) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            async for response in stub.Watch(health_pb2.HealthCheckRequest()):
                name = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
                await registry.write(name)
                watching.set()
        except grpc.aio.AioRpcError as error:
            await registry.write(f"watch ended {error.code().name}")


async def test_a_server_stops_in_the_reverse_order_of_its_start() -> None:
    """It reports NOT_SERVING, deregisters, serves for two seconds, ends streams and calls."""
    registry, clock, stop = RecordingRegistry(), ManualClock(), asyncio.Event()
    rng = random.Random(7)
    serving = asyncio.create_task(
        serve(
            echo_service(on_drain=[registry.note("streams end")]),
            settings=ServerSettings(drain_s=2),
            registrar=registry,
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
            # As everywhere in tests: it holds for the rest of the process.
            log_level="warning",
            stop=stop,
        )
    )
    instance = await registry.first()
    watching = asyncio.Event()
    watch = asyncio.create_task(watch_health(instance.endpoint, registry, watching))
    await watching.wait()
    stop.set()
    await registry.has("deregistered", "NOT_SERVING")
    async with grpc.aio.insecure_channel(instance.endpoint) as channel:
        still = await channel.unary_unary("/tradepost.echo.Echo/Unary")(b"\n\x01a")
        before = list(registry.entries)
        await clock.advance(2)
        await serving
    await watch

    assert still == b"\n\x01a"
    assert sorted(before) == ["NOT_SERVING", "SERVING", "deregistered", "registered"]
    assert registry.entries[: len(before)] == before
    assert set(registry.entries[len(before) :]) == {"streams end", "watch ended UNAVAILABLE"}


class HealthReadingRegistrar:
    """A registrar that reads the server's health when it is registered and deregistered."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.registered = asyncio.Event()

    async def register(self, instance: Instance) -> None:
        await self._read(instance)
        self.registered.set()

    async def deregister(self, instance: Instance) -> None:
        await self._read(instance)

    async def is_registered(self, instance: Instance) -> bool:
        return True

    async def _read(self, instance: Instance) -> None:
        async with grpc.aio.insecure_channel(instance.endpoint) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
        self.statuses.append(answer.status)


async def test_a_server_is_registered_only_while_it_reports_serving() -> None:
    """It reports SERVING before it registers, and NOT_SERVING before it deregisters."""
    registrar = HealthReadingRegistrar()
    async with echo_server(registrar=registrar):
        await registrar.registered.wait()

    assert registrar.statuses == [SERVING, NOT_SERVING]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("process_settings")
async def test_a_signal_stops_the_server(number: signal.Signals) -> None:
    """SIGTERM and SIGINT begin the drain, and the process ignores further ones afterwards."""
    clock, rng = SystemClock(), random.Random(7)
    ports: list[int] = []

    def ready(port: int) -> None:
        ports.append(port)
        os.kill(os.getpid(), number)

    await serve(
        echo_service(),
        settings=ServerSettings(drain_s=0),
        registrar=None,
        clock=clock,
        ids=IdFactory(clock=clock, rng=rng),
        rng=rng,
        ready=ready,
    )

    assert ports[0] > 0
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    assert signal.getsignal(number) is signal.SIG_IGN


async def test_a_port_that_is_taken_stops_the_start() -> None:
    """so_reuseport is off; otherwise two processes would share a port unnoticed."""
    async with echo_server() as echo:
        with pytest.raises(CannotListenError):
            async with echo_server(settings={"port": echo.server.port}):
                pass


async def test_an_instance_has_an_id_and_an_incarnation() -> None:
    """An instance has an id per address, an incarnation per start, and metadata."""
    registry = RecordingRegistry()
    async with echo_server(
        registrar=registry, settings={"instance_id": "echo-1", "version": "1.2.3"}
    ) as echo:
        instance = await registry.first()

    assert (instance.instance_id, instance.service) == ("echo-1", "echo")
    assert instance.endpoint == echo.server.endpoint
    assert (instance.meta["version"], instance.meta["protocol"]) == ("1.2.3", "grpc")
    assert instance.incarnation.startswith("inc_")


async def test_an_advertised_address_is_what_callers_dial() -> None:
    """A server can listen on one address and register another."""
    registry = RecordingRegistry()
    async with echo_server(
        registrar=registry, settings={"host": "0.0.0.0", "advertise_address": "127.0.0.1"}
    ) as echo:
        instance = await registry.first()
        answer = await echo.unary("hi")

    assert instance.address == "127.0.0.1"
    assert answer.value == "hi"


async def test_a_registry_that_is_down_does_not_keep_a_server_from_serving() -> None:
    """Registration is repeated in the background, and callers with the address are served."""
    registry = RecordingRegistry()
    registry.fail("the agent is down")
    async with echo_server(registrar=registry, clock=ManualClock()) as echo:
        assert (await echo.unary("hi")).value == "hi"
        registry.recover()


async def test_background_work_runs_while_the_server_does() -> None:
    """It starts before the first call and is cancelled after the last."""
    entries: list[str] = []
    begun = asyncio.Event()

    async def work() -> None:
        entries.append("begun")
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            entries.append("ended")

    async def on_drain() -> None:
        entries.append("drained")

    async with echo_server(background=[work], on_drain=[on_drain]) as echo:
        await begun.wait()
        await echo.unary()

    assert entries == ["begun", "drained", "ended"]


async def test_background_work_that_fails_stops_the_server() -> None:
    """Without its driver, a service would accept orders that it never finishes."""

    async def work() -> None:
        raise ValueError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        async with echo_server(background=[work]):
            await asyncio.Event().wait()

    assert caught.group_contains(ValueError, match="a bug")


async def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    """The error of a block in which a server runs is not wrapped in a group."""
    with pytest.raises(KeyError):
        async with echo_server():
            raise KeyError("mine")
