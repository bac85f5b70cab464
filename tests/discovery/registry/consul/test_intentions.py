"""The table of intentions decides as Consul does, and follows its changes."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.intentions import ConsulIntentions, IntentionTable
from discovery.registry.protocols import RegistryError
from scripts.suite.consul import LEADS
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.discovery.intentions import IntentionWriter
from tests.support.limits import WAIT_S

SERVICES = ("order", "payment", "inventory")


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests in this file; each test writes about services of its own."""
    with consul_agent() as running:
        yield running


@asynccontextmanager
async def kept(agent: ConsulAgent, service: str) -> AsyncIterator[ConsulIntentions]:
    """Keep the table of a service while the block runs."""
    intentions = intentions_of(agent, service)
    await intentions.load()
    task = asyncio.create_task(intentions.run())
    try:
        async with asyncio.timeout(WAIT_S):
            yield intentions
    finally:
        task.cancel()
        await asyncio.wait([task])


def intentions_of(agent: ConsulAgent, service: str) -> ConsulIntentions:
    """The intentions about a service, before the first answer."""
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    return ConsulIntentions(service, address, clock=SystemClock(), rng=random.Random(7))


async def until(intentions: ConsulIntentions, source: str, *, allowed: bool) -> None:
    """Return once the table says so."""
    table = intentions.current
    while table.allows(source) is not allowed:
        table = await intentions.changed(table)


async def test_the_table_decides_as_consul_does() -> None:
    """Whatever exact and general intentions there are, the most exact one counts."""
    rng = random.Random(11)
    with consul_agent() as agent:
        writer = IntentionWriter(agent.address)
        await writer.write("*", "*", allowed=False)
        for _ in range(8):
            names = [*SERVICES, "*"]
            await writer.write(rng.choice(names), rng.choice(names), allowed=rng.random() < 0.5)
            for destination in SERVICES:
                intentions = intentions_of(agent, destination)
                await intentions.load()
                for source in SERVICES:
                    expected = await writer.allows(source, destination)
                    assert intentions.current.allows(source) is expected


def test_who_is_named_by_no_intention_may_not_call() -> None:
    """Neither without any intention, nor as a peer whose certificate names no service."""
    everybody = {
        "SourceName": "*",
        "DestinationName": "*",
        "Action": "allow",
        "Precedence": 5,
    }

    assert not IntentionTable.of("order", []).allows("payment")
    assert IntentionTable.of("order", [everybody]).allows("payment")
    assert not IntentionTable.of("order", [everybody]).allows("")


async def test_a_change_is_followed(agent: ConsulAgent) -> None:
    """An intention that is written, changed or removed counts once Consul has it."""
    writer = IntentionWriter(agent.address)
    async with kept(agent, "shop") as intentions:
        assert not intentions.current.allows("till")
        await writer.write("till", "shop", allowed=True)
        await until(intentions, "till", allowed=True)
        await writer.write("till", "shop", allowed=False)
        await until(intentions, "till", allowed=False)
        await writer.write("*", "shop", allowed=True)
        await writer.remove("till", "shop")
        await until(intentions, "till", allowed=True)


async def test_without_consul_the_last_table_stays_until_it_is_back() -> None:
    """An agent that is gone changes nothing; one that returns is followed again."""
    with consul_agent() as agent:
        await IntentionWriter(agent.address).write("till", "shop", allowed=True)
        async with kept(agent, "shop") as intentions:
            agent.kill()
            with pytest.raises(RegistryError):
                await intentions_of(agent, "shop").load()
            assert intentions.current.allows("till")

            agent.restart()
            await IntentionWriter(agent.address).write("clerk", "shop", allowed=True)
            await until(intentions, "clerk", allowed=True)


async def test_a_restarted_consul_forgets_nothing_for_a_moment(tmp_path: Path) -> None:
    """While a server that has become the leader reads its log, nobody who may call is denied."""
    agent = ConsulAgent(
        hcl="connect { enabled = true } performance { raft_multiplier = 1 }",
        mode=("-server", "-bootstrap-expect=1", f"-data-dir={tmp_path}"),
        ready=(LEADS,),
    )
    await asyncio.to_thread(agent.start)
    try:
        writer = IntentionWriter(agent.address)
        for number in range(20):
            await writer.write(f"caller{number}", "shop", allowed=True)
        async with AsyncExitStack() as stack:
            tables = [await stack.enter_async_context(kept(agent, "shop")) for _ in range(24)]
            assert all(each.current.allows("caller19") for each in tables)
            seen: list[IntentionTable] = []
            recording = [asyncio.create_task(_record(each, seen)) for each in tables]
            for _ in range(3):
                await asyncio.to_thread(agent.restart)
                # Each one has been read again once it shows what is written now.
                await writer.write("late", "shop", allowed=True)
                for each in tables:
                    await until(each, "late", allowed=True)
                await writer.remove("late", "shop")
                for each in tables:
                    await until(each, "late", allowed=False)
            for task in recording:
                task.cancel()
    finally:
        await asyncio.to_thread(agent.kill)

    assert [each for each in seen if not each.allows("caller19")] == []


async def _record(intentions: ConsulIntentions, seen: list[IntentionTable]) -> None:
    """Note each table, until cancelled."""
    table = intentions.current
    while True:
        table = await intentions.changed(table)
        seen.append(table)
