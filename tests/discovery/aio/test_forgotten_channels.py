"""A channel that a program drops without closing it ends its work, as grpc.aio's does."""

import asyncio
import gc
import logging
import re
from typing import Any

import pytest

import discovery
from tests.support.discovery.probe_service import SERVING, Start, path, ready
from tests.support.limits import WAIT_S

_WORK = re.compile(r"coro=<(Subchannel|Resolver|Balancer|UnaryCall)\.")


def _work() -> set[asyncio.Task[Any]]:
    """The tasks of all channels."""
    return {task for task in asyncio.all_tasks() if _WORK.search(repr(task))}


async def _until_no_work() -> None:
    """Return once no channel has a task.

    On a busy machine a collection takes seconds, because the process of the tests has many objects.
    """
    async with asyncio.timeout(WAIT_S):
        while _work():
            gc.collect()
            await asyncio.sleep(0)


@pytest.mark.parametrize("calls", [False, True])
async def test_a_dropped_channel_ends_its_tasks(
    start: Start, caplog: pytest.LogCaptureFixture, *, calls: bool
) -> None:
    """Its tasks and connections end, and nothing is logged."""
    caplog.set_level(logging.WARNING)
    server = await start("a", health=SERVING)
    channel = discovery.open_channel(f"static:///{server.address}")
    await ready(channel, 1)
    if calls:
        await channel.unary_unary(path("Get"))(b"x")
        [message async for message in channel.unary_stream(path("Watch"))(b"x")]
    assert _work()

    del channel
    await _until_no_work()

    assert [one.getMessage() for one in caplog.records if "destroyed" in one.getMessage()] == []


async def test_a_call_outlives_its_dropped_channel(start: Start) -> None:
    """A call of each kind goes on when the program keeps nothing but the call."""
    server = await start("a")
    target = f"static:///{server.address}"

    unary = discovery.open_channel(target).unary_unary(path("Get"))(b"x")
    stream = discovery.open_channel(target).unary_stream(path("Watch"))(b"x")
    upload = discovery.open_channel(target).stream_unary(path("Upload"))([b"x"])
    chat = discovery.open_channel(target).stream_stream(path("Chat"))([b"x"])
    gc.collect()

    assert await unary == b"a:x"
    assert [message async for message in stream] == [b"a:x0", b"a:x1", b"a:x2"]
    assert await upload == b"a:x"
    assert [message async for message in chat] == [b"a:x"]
    del unary, stream, upload, chat
    await _until_no_work()
