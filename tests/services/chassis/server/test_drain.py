"""Callers do not notice when instances come and go."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import discovery
from discovery.clock import SystemClock
from discovery.registry.memory import MemoryRegistry
from services.chassis.request.errors import DrainingError
from tests.support.chassis.echo_service import Echo, echo_server, path
from tests.support.chassis.rich_status import refusal
from tests.support.limits import WAIT_S

Code = grpc.StatusCode
Connect = Callable[[str], grpc.aio.Channel]
CALLERS = 8


class Callers:
    """Calls without a pause, and collects every failure."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._call = channel.unary_unary(
            path("Unary"), StringValue.SerializeToString, StringValue.FromString
        )
        self._answers: asyncio.Queue[None] = asyncio.Queue()
        self._over = asyncio.Event()
        self.failures: list[grpc.aio.AioRpcError] = []

    async def run(self) -> None:
        """Call until the end."""
        while not self._over.is_set():
            try:
                await self._call(StringValue(value="hi"))
            except grpc.aio.AioRpcError as error:
                self.failures.append(error)
            self._answers.put_nowait(None)

    async def more_answers(self, number: int = 100) -> None:
        """Return after this many more answers."""
        while not self._answers.empty():
            self._answers.get_nowait()
        for _ in range(number):
            await self._answers.get()

    def end(self) -> None:
        """Stop calling."""
        self._over.set()


async def test_no_call_fails_while_instances_drain_under_load() -> None:
    """Of two instances one leaves and a new one comes, then the other leaves: all are answered.

    The method is in no descriptor, so discovery takes it for unsafe and retries nothing that may
    have been sent: what is seen is the drain, not the retries.
    """
    registry = MemoryRegistry()

    def instance(number: int) -> AbstractAsyncContextManager[Echo]:
        settings = {"drain_s": 0.1, "stop_grace_s": WAIT_S, "instance_id": f"echo-{number}"}
        return echo_server(registrar=registry, settings=settings)

    async with (
        discovery.open_channel(
            "memory:///echo", watcher=registry, clock=SystemClock(), rng=random.Random(7)
        ) as channel,
        asyncio.TaskGroup() as group,
        AsyncExitStack() as first,
        AsyncExitStack() as second,
    ):
        callers = Callers(channel)
        await first.enter_async_context(instance(1))
        await second.enter_async_context(instance(2))
        for _ in range(CALLERS):
            group.create_task(callers.run())
        await callers.more_answers()
        await first.aclose()
        await callers.more_answers()
        await first.enter_async_context(instance(3))
        await callers.more_answers()
        await second.aclose()
        await callers.more_answers()
        callers.end()

    assert callers.failures == []


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens channels that outlive the server they call."""
    async with AsyncExitStack() as channels:

        def connect_to(endpoint: str) -> grpc.aio.Channel:
            channel = grpc.aio.insecure_channel(endpoint)
            channels.push_async_callback(channel.close)
            return channel

        yield connect_to


async def test_a_call_in_flight_is_finished(connect: Connect) -> None:
    """A stopping server answers the calls that it has begun."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def unary(request: StringValue, context: Any) -> StringValue:
        begun.set()
        await go_on.wait()
        return request

    async def release() -> None:
        go_on.set()

    async with echo_server(unary=unary, on_drain=[release]) as echo:
        channel = connect(echo.server.endpoint)
        call = channel.unary_unary("/tradepost.echo.Echo/Unary")(b"\n\x01a")
        await begun.wait()

    assert await call == b"\n\x01a"


async def test_a_call_that_outlasts_the_grace_is_cancelled(connect: Connect) -> None:
    """A stop always ends: calls that outlast the grace are cancelled."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def unary(request: StringValue, context: Any) -> StringValue:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return request

    async with echo_server(unary=unary, settings={"stop_grace_s": 0.05}) as echo:
        channel = connect(echo.server.endpoint)
        call = channel.unary_unary("/tradepost.echo.Echo/Unary")(b"")
        await begun.wait()
    refused = await refusal(call)

    assert cancelled.is_set()
    assert refused.code in {Code.UNAVAILABLE, Code.CANCELLED}


async def test_a_stream_ends_with_unavailable_and_where_to_resume(connect: Connect) -> None:
    """A watcher of a stopping instance can resume elsewhere without missing a version."""
    ending = asyncio.Event()

    async def follow(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value="version 7")
        await ending.wait()
        raise DrainingError(resume_after_version="7")

    # A hook may be a plain function, as the tailer's stop_waiters is.
    async with echo_server(unary_stream=follow, on_drain=[ending.set]) as echo:
        channel = connect(echo.server.endpoint)
        stream = channel.unary_stream("/tradepost.echo.Echo/UnaryStream")(b"")
        await stream.read()
    refused = await refusal(stream.read())

    assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "DRAINING")
    assert refused.facts == {"resume_after_version": "7"}


async def test_a_drain_hook_that_fails_does_not_keep_the_others_from_ending() -> None:
    """Every hook is called, even if another one fails or hangs."""
    drained = asyncio.Event()

    async def failing() -> None:
        raise ValueError("a bug")

    async def hanging() -> None:
        await asyncio.Event().wait()

    async with echo_server(
        on_drain=[failing, hanging, drained.set], settings={"stop_grace_s": 0.05}
    ):
        pass

    assert drained.is_set()
