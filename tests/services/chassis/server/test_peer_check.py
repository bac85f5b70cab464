"""Consul's intentions decide which services may call, for new calls and for those that run."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.intentions import ConsulIntentions
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.chassis.rich_status import read
from tests.support.chassis.secure_echo import SERVICE, channel_to, secure_echo, unary, unary_stream
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.discovery.intentions import IntentionWriter
from tests.support.limits import WAIT_S

AUTHORITY = Authority()
HI = StringValue(value="hi")
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests in this file; each test has a caller of its own."""
    with consul_agent() as running:
        yield running


@pytest.fixture
def intentions(agent: ConsulAgent) -> ConsulIntentions:
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    return ConsulIntentions(SERVICE, address, clock=SystemClock(), rng=random.Random(7))


@pytest.fixture(scope="module")
def writer(agent: ConsulAgent) -> IntentionWriter:
    return IntentionWriter(agent.address)


def own() -> MemoryCertificates:
    """The certificates of the server."""
    return MemoryCertificates(AUTHORITY.issue(SERVICE))


async def wait_for_ever(request: object, context: object) -> Any:
    """A call that ends only when it is cancelled."""
    await asyncio.Event().wait()


async def one_and_wait(request: StringValue, context: object) -> AsyncIterator[StringValue]:
    """A stream with one message, which then waits for the next event."""
    yield request
    await asyncio.Event().wait()


async def without_end(request: StringValue, context: object) -> AsyncIterator[StringValue]:
    """A stream that always has a message to write."""
    while True:
        yield StringValue(value="x" * 10_000)


async def end_of(call: Any) -> grpc.aio.AioRpcError:
    """Read a stream until it fails; return the error."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the stream ended without an error")


async def test_a_service_that_no_intention_allows_is_refused_with_the_reason(
    intentions: ConsulIntentions, writer: IntentionWriter
) -> None:
    """Its call reaches no servicer; it may still ask for health, as channels do."""
    await writer.write("clerk", SERVICE, allowed=True)
    await intentions.load()
    async with (
        secure_echo(own(), intentions=intentions) as server,
        channel_to(server, AUTHORITY.issue("clerk")) as allowed,
        channel_to(server, AUTHORITY.issue("stranger")) as denied,
    ):
        assert await unary(allowed)(HI) == HI
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unary(denied)(HI)
        health = await health_pb2_grpc.HealthStub(denied).Check(health_pb2.HealthCheckRequest())

    assert refused.value.code() == PERMISSION_DENIED
    assert refused.value.details() == "no intention allows stranger to call echo"
    assert read(refused.value).reason == "PEER_DENIED"
    assert health.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("stream", [one_and_wait, without_end])
async def test_a_denial_ends_the_calls_that_run(
    intentions: ConsulIntentions, writer: IntentionWriter, stream: Any
) -> None:
    """A call that waits, a stream that waits, and one that writes; other callers go on."""
    for caller in ("till", "clerk"):
        await writer.write(caller, SERVICE, allowed=True)
    await intentions.load()
    async with (
        asyncio.timeout(WAIT_S),
        secure_echo(
            own(), intentions=intentions, second=wait_for_ever, unary_stream=stream
        ) as server,
        channel_to(server, AUTHORITY.issue("till")) as till,
        channel_to(server, AUTHORITY.issue("clerk")) as clerk,
    ):
        watching, undisturbed = unary_stream(till)(HI), unary_stream(clerk)(HI)
        waiting = unary(till, "Second")(HI)
        assert await watching.read()
        assert await undisturbed.read()
        while server.admission.waiting < 1:
            await unary(till)(HI)

        await writer.write("till", SERVICE, allowed=False)
        ended = await end_of(watching)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await waiting

        assert {ended.code(), refused.value.code()} == {PERMISSION_DENIED}
        assert read(ended).reason == read(refused.value).reason == "PEER_DENIED"
        assert await unary(clerk)(HI) == HI
        assert not undisturbed.done()
        undisturbed.cancel()


async def test_a_reader_that_stopped_reading_gets_nothing_new(
    intentions: ConsulIntentions, writer: IntentionWriter
) -> None:
    """A stream that waits for its reader ends too, after the message that is on its way."""
    await writer.write("till", SERVICE, allowed=True)
    await intentions.load()
    sent = 0

    async def counted(request: StringValue, context: object) -> AsyncIterator[StringValue]:
        nonlocal sent
        while True:
            sent += 1
            yield StringValue(value="x" * 1_000_000)

    async with (
        asyncio.timeout(WAIT_S),
        secure_echo(own(), intentions=intentions, unary_stream=counted) as server,
        channel_to(server, AUTHORITY.issue("till")) as till,
    ):
        call = unary_stream(till)(HI)
        await call.read()
        await writer.write("till", SERVICE, allowed=False)
        table = intentions.current
        while table.allows("till"):
            table = await intentions.changed(table)
        sent_before = sent

        ended = await end_of(call)

    assert ended.code() == PERMISSION_DENIED
    assert sent - sent_before <= 1
