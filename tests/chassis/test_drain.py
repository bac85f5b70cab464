"""Instances come and go; callers don't notice."""

import asyncio
import random
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import discovery
from discovery.clock import SystemClock
from discovery.memory import MemoryRegistry
from tests.echo_service import Echo, echo_server, path

CALLERS = 8


async def test_no_call_fails_while_instances_drain_under_load() -> None:
    """Of two instances one leaves and a new one comes, twice: every call is answered.

    The method is in no descriptor, so discovery takes it for unsafe and retries nothing that may
    have been sent: what is seen is the drain, not the retries.
    """
    registry = MemoryRegistry()
    answers: asyncio.Queue[None] = asyncio.Queue()
    failures: list[grpc.aio.AioRpcError] = []
    over = asyncio.Event()

    async def keep_calling(channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary(
            path("Unary"), StringValue.SerializeToString, StringValue.FromString
        )
        while not over.is_set():
            try:
                await call(StringValue(value="hi"))
            except grpc.aio.AioRpcError as error:
                failures.append(error)
            answers.put_nowait(None)

    async def more_answers(number: int) -> None:
        while not answers.empty():
            answers.get_nowait()
        for _ in range(number):
            await answers.get()

    def instance(number: int) -> AbstractAsyncContextManager[Echo]:
        return echo_server(
            registrar=registry,
            settings={"drain_s": 0.1, "instance_id": f"echo-{number}"},
        )

    async with (
        discovery.open_channel(
            "memory:///echo", watcher=registry, clock=SystemClock(), rng=random.Random(7)
        ) as channel,
        asyncio.TaskGroup() as callers,
        AsyncExitStack() as first,
        AsyncExitStack() as second,
    ):
        await first.enter_async_context(instance(1))
        await second.enter_async_context(instance(2))
        for _ in range(CALLERS):
            callers.create_task(keep_calling(channel))
        await more_answers(100)
        await first.aclose()
        await more_answers(100)
        await first.enter_async_context(instance(3))
        await more_answers(100)
        await second.aclose()
        await more_answers(100)
        over.set()

    assert failures == []
