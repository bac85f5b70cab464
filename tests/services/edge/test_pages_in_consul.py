"""Web applications that Consul lists, behind the edge as a program, while an instance dies."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from scripts.suite.consul import ConsulAgent, free_ports
from tests.support.discovery.consul_agent import consul_agent
from tests.support.edge.page_process import page_process
from tests.support.edge.running_edge import program_environment
from tests.support.limits import WAIT_S
from tests.support.suite.service_process import service_process

READERS = 8
# Enough that each of the two instances has several requests at work at any time.
PORTION = 200


@pytest.fixture
def consul() -> Iterator[ConsulAgent]:
    with consul_agent() as agent:
        yield agent


@dataclass(slots=True)
class Readers:
    """People who read one page after the other; how often each instance answered, and failures."""

    http: aiohttp.ClientSession
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                async with self.http.get("/shop/orders") as answer:
                    text = await answer.text()
                    if answer.status == 200:
                        self.answers[text] += 1
                        self.answered.set()
                    else:
                        self.failures.append(f"{answer.status}: {text}")
            except aiohttp.ClientError as error:
                self.failures.append(str(error))

    async def until(self, name: str, number: int) -> None:
        """Return once an instance has answered so many more requests."""
        enough = self.answers[name] + number
        async with asyncio.timeout(WAIT_S):
            while self.answers[name] < enough:
                self.answered.clear()
                await self.answered.wait()


async def until_served(http: aiohttp.ClientSession, *names: str) -> None:
    """Return once each of these instances has answered."""
    left = set(names)
    async with asyncio.timeout(WAIT_S):
        while left:
            try:
                async with http.get("/shop") as answer:
                    left.discard(await answer.text())
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0)


async def test_no_read_fails_while_an_instance_is_killed(
    consul: ConsulAgent, tmp_path: Path
) -> None:
    """The other instance answers, though Consul lists the dead one; a new one takes its share."""
    (port,) = free_ports(1)
    environment = program_environment(consul.address, port, TRADEPOST_EDGE_PAGES="/shop=storefront")
    async with (
        page_process("first", consul=consul.address, folder=tmp_path) as first,
        page_process("second", consul=consul.address, folder=tmp_path),
        service_process("edge", environment) as edge,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        await edge.line("envoy_started")
        log = asyncio.create_task(edge.end())
        await until_served(http, "first", "second")
        readers = Readers(http)
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(readers.read()) for _ in range(READERS)]
            await readers.until("first", PORTION)
            await readers.until("second", PORTION)
            await first.slot.stop(signal.SIGKILL)
            await readers.until("second", PORTION)
            await first.withdraw()
            async with page_process("third", consul=consul.address, folder=tmp_path):
                await readers.until("third", PORTION)
                for reader in reading:
                    reader.cancel()
        edge.process.terminate()
        assert await log == 0
    assert readers.failures == []
