"""A channel reports the states of its connection as in grpc.aio."""

import asyncio
from typing import Any

import grpc

from tests.support.discovery.dropin.comparison import Both, outcome
from tests.support.discovery.dropin.scripted_server import path

_READY = grpc.ChannelConnectivity.READY
# The discard port, on which nothing listens.
NO_LISTENER = "127.0.0.1:9"


async def _until(channel: Any, wanted: grpc.ChannelConnectivity) -> list[grpc.ChannelConnectivity]:
    """Collect the states until this one."""
    seen = [channel.get_state(try_to_connect=True)]
    while seen[-1] is not wanted:
        await channel.wait_for_state_change(seen[-1])
        seen.append(channel.get_state())
    return seen


async def test_a_channel_before_its_first_call(both: Both) -> None:
    """A channel is IDLE before its first call, however often its state is read."""

    async def program(channel: Any, _: Any) -> Any:
        return channel.get_state(), channel.get_state(), channel.get_state(try_to_connect=False)

    await both(program)


async def test_a_channel_connects_on_request(both: Both) -> None:
    """`get_state(try_to_connect=True)` leads to READY."""

    async def program(channel: Any, _: Any) -> Any:
        return (await _until(channel, _READY))[-1], channel.get_state()

    await both(program)


async def test_a_channel_connects_with_its_first_call(both: Both) -> None:
    """The first call leads to READY."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.unary_unary(path("Unary"))(b".")
        return channel.get_state()

    await both(program)


async def test_channel_ready(both: Both) -> None:
    """`channel_ready` returns once the channel is connected, and at once after that."""

    async def program(channel: Any, _: Any) -> Any:
        return await channel.channel_ready(), channel.get_state(), await channel.channel_ready()

    await both(program)


async def test_nothing_listens_on_the_port(both: Both) -> None:
    """A port without a listener leads to TRANSIENT_FAILURE."""

    async def program(channel: Any, _: Any) -> Any:
        return (await _until(channel, grpc.ChannelConnectivity.TRANSIENT_FAILURE))[-1]

    await both(program, address=NO_LISTENER)


async def test_channel_ready_waits_without_a_limit(both: Both) -> None:
    """`channel_ready` waits until the program cancels it."""

    async def program(channel: Any, _: Any) -> Any:
        return await outcome(asyncio.wait_for(channel.channel_ready(), 0.2))

    await both(program, address=NO_LISTENER)


async def test_waiting_for_a_change_from_another_state(both: Both) -> None:
    """Waiting for a change from another state than the current one returns at once."""

    async def program(channel: Any, _: Any) -> Any:
        return await channel.wait_for_state_change(_READY), channel.get_state()

    await both(program)


async def test_waiting_for_a_change_that_does_not_come(both: Both) -> None:
    """Waiting for a change that doesn't come ends only when it is cancelled."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        return await outcome(asyncio.wait_for(channel.wait_for_state_change(_READY), 0.1))

    await both(program)


async def test_a_closed_channel(both: Both) -> None:
    """A closed channel stays in SHUTDOWN."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        await channel.close()
        return channel.get_state(), channel.get_state(try_to_connect=True)

    await both(program)


async def test_closing_is_a_change(both: Both) -> None:
    """Closing wakes a wait for a change."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        waiting = asyncio.ensure_future(channel.wait_for_state_change(_READY))
        await asyncio.sleep(0)
        await channel.close()
        return await outcome(waiting), channel.get_state()

    await both(program)


async def test_waiting_on_a_closed_channel(both: Both) -> None:
    """Waiting for a change or a connection on a closed channel raises."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.close()
        shutdown = grpc.ChannelConnectivity.SHUTDOWN
        return (
            (await outcome(channel.wait_for_state_change(shutdown)))[0],
            (await outcome(channel.wait_for_state_change(_READY)))[0],
            (await outcome(channel.channel_ready()))[0],
        )

    await both(program)
