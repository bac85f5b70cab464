"""Clients of `xds:///order` in Python and Node: gRPC's own, over the edge's control plane alone."""

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from discovery.registry.memory import MemoryRegistry
from scripts.suite.consul import free_ports
from scripts.suite.issuer import Issuer
from scripts.suite.processes.slot import ProcessSlot
from scripts.tools.paths import ROOT
from services.chassis.identity.caller import Caller
from services.edge.contract.contract import read
from services.edge.edge import control_plane
from tests.support.certificates.authority import Authority, write
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.discovery.consul_agent import consul_agent
from tests.support.edge.asking_program import AskingProgram, asking_program
from tests.support.edge.named_process import named_process
from tests.support.edge.named_server import NamedServer, named_servers
from tests.support.edge.running_edge import CLOCK, settings_at_free_ports
from tests.support.edge.secure_order import secure_order
from tests.support.suite.service_process import service_process
from tests.support.suite.tools import node_path

CLIENTS = ROOT / "tests" / "clients"
PROGRAMS = {
    "python": (sys.executable, CLIENTS / "python" / "proxyless.py"),
    "node": (node_path(), CLIENTS / "node" / "proxyless.js"),
}
IN_EACH_LANGUAGE = pytest.mark.parametrize("language", list(PROGRAMS))


def bootstrap_file(folder: Path, port: int) -> Path:
    """The file that tells a client of gRPC where the control plane is."""
    server = {"server_uri": f"127.0.0.1:{port}", "channel_creds": [{"type": "insecure"}]}
    file = folder / "xds.json"
    file.write_text(
        json.dumps({"xds_servers": [server], "node": {"id": "a-client", "locality": {}}})
    )
    return file


@asynccontextmanager
async def plane(registry: MemoryRegistry, port: int) -> AsyncIterator[None]:
    """The control plane over this registry, without an Envoy."""
    async with control_plane(
        [f"127.0.0.1:{port}"],
        contract=read(),
        settings=settings_at_free_ports(),
        watcher=registry,
        clock=CLOCK,
        rng=random.Random(1),
    ):
        yield


@asynccontextmanager
async def client(language: str, bootstrap: Path, *more: str | Path) -> AsyncIterator[AskingProgram]:
    """The example application of this language, which asks for `xds:///order`."""
    environment = {"GRPC_XDS_BOOTSTRAP": str(bootstrap), "PYTHONPATH": str(ROOT / "generated")}
    command = (*PROGRAMS[language], "xds:///order", *more)
    async with asking_program(*command, environment=environment) as program:
        yield program


@IN_EACH_LANGUAGE
async def test_a_client_follows_the_registry_without_a_failed_call(
    tmp_path: Path, language: str
) -> None:
    """All instances get calls, a new one too, and one that is drained costs no call."""
    first, second, third = (NamedServer(name) for name in ("first", "second", "third"))
    registry, (port,) = MemoryRegistry(), free_ports(1)
    await registry.register(first.instance)
    await registry.register(second.instance)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(named_servers(first, second, third))
        await stack.enter_async_context(plane(registry, port))
        asked = await stack.enter_async_context(client(language, bootstrap_file(tmp_path, port)))

        answers = await asked.ask_until("first", "second")
        await registry.register(third.instance)
        answers += await asked.ask_until("first", "second", "third")
        await registry.deregister(first.instance)
        answers += await asked.ask_until("second", "third", "second", "third")
        await first.stop(5)
        answers += await asked.ask_until("second", "third", "second", "third")

    assert set(answers) == {"first", "second", "third"}


@IN_EACH_LANGUAGE
async def test_a_client_survives_an_instance_and_the_control_plane(
    tmp_path: Path, language: str
) -> None:
    """Neither an instance that breaks off nor the loss of the control plane costs a safe call."""
    first, second, third = (NamedServer(name) for name in ("first", "second", "third"))
    registry, (port,) = MemoryRegistry(), free_ports(1)
    await registry.register(first.instance)
    await registry.register(second.instance)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(named_servers(first, second, third))
        async with plane(registry, port):
            asked = await stack.enter_async_context(
                client(language, bootstrap_file(tmp_path, port))
            )
            answers = await asked.ask_until("first", "second")
        answers += await asked.ask_until("first", "second")
        await first.stop()
        answers += await asked.ask_until("second", "second", "second")
        await registry.register(third.instance)
        await registry.deregister(second.instance)
        await stack.enter_async_context(plane(registry, port))
        answers += await asked.ask_until("third", "third", "third")

    assert set(answers) == {"first", "second", "third"}


@IN_EACH_LANGUAGE
async def test_a_client_calls_secure_instances(tmp_path: Path, language: str) -> None:
    """With a certificate of its own it is served by the service, and by no other one."""
    authority, issuer = Authority(), Issuer(clock=CLOCK)
    write(authority.issue("payment"), tmp_path)
    token = issuer.token("carl", "CLERK")
    registry, (port,) = MemoryRegistry(), free_ports(1)
    served = MemoryCertificates(authority.issue("order"))
    other = MemoryCertificates(authority.issue("inventory"))
    async with (
        secure_order("impostor", other, issuer) as impostor,
        secure_order("order-1", served, issuer) as order,
        plane(registry, port),
        client(language, bootstrap_file(tmp_path, port), tmp_path, token) as asked,
    ):
        await registry.register(impostor.registered)
        assert await asked.ask() == "UNAVAILABLE"
        await registry.register(order.registered)
        await asked.ask_until("order-1", "order-1")

    assert impostor.callers == []
    assert set(order.callers) == {Caller("carl", frozenset({"CLERK"}), "payment")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers_of_processes(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[str]]:
    """What the clients of all languages are told while processes are killed and drained."""
    folder, (port,) = tmp_path_factory.mktemp("processes"), free_ports(1)
    with consul_agent() as consul:
        environment = {
            "CONSUL_HTTP_ADDR": consul.address,
            "TRADEPOST_EDGE_ENVOY": "",
            "TRADEPOST_EDGE_XDS_PORT": str(port),
        }
        async with AsyncExitStack() as stack:

            def start(name: str) -> AbstractAsyncContextManager[ProcessSlot]:
                return named_process(name, consul=consul.address, folder=folder)

            first = await stack.enter_async_context(start("first"))
            second = await stack.enter_async_context(start("second"))
            edge = service_process("edge", environment, log=folder / "edge.log")
            await (await stack.enter_async_context(edge)).line("serving")
            bootstrap = bootstrap_file(folder, port)
            asked = {
                language: await stack.enter_async_context(client(language, bootstrap))
                for language in PROGRAMS
            }
            # Calls may fail before both are registered.
            await all_ask_until(asked, "first", "second")
            await first.stop(signal.SIGKILL)
            told = [await all_ask_until(asked, "second", "second", "second", "second")]
            await stack.enter_async_context(start("third"))
            told.append(await all_ask_until(asked, "second", "third"))
            drained = asyncio.create_task(second.stop())
            told.append(await all_ask_until(asked, "third", "third", "third", "third"))
            await drained
            told.append(await all_ask_until(asked, "third", "third", "third", "third"))
    return {language: [name for each in told for name in each[language]] for language in PROGRAMS}


async def all_ask_until(
    asked: Mapping[str, AskingProgram], *names: str
) -> dict[str, Sequence[str]]:
    """Let all clients ask at the same time until each was told these names in turn."""
    told = await asyncio.gather(*(each.ask_until(*names) for each in asked.values()))
    return dict(zip(asked, told, strict=True))


@IN_EACH_LANGUAGE
def test_a_client_of_real_processes(
    answers_of_processes: dict[str, list[str]], language: str
) -> None:
    """With Consul and the edge as programs, `kill -9` and a drain cost no safe call.

    An instance that is started later gets calls, too.
    """
    assert set(answers_of_processes[language]) == {"second", "third"}
