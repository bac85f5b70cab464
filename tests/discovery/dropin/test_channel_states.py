"""What a channel says of its connection."""

import asyncio
from typing import Any

import grpc

from tests.support.discovery.dropin.comparison import Both, outcome
from tests.support.discovery.dropin.scripted_server import path

_READY = grpc.ChannelConnectivity.READY
# Discard: a port that nobody listens on.
NOBODY = "127.0.0.1:9"


async def _until(channel: Any, wanted: grpc.ChannelConnectivity) -> list[grpc.ChannelConnectivity]:
    """The states on the way to one."""
    seen = [channel.get_state(try_to_connect=True)]
    while seen[-1] is not wanted:
        await channel.wait_for_state_change(seen[-1])
        seen.append(channel.get_state())
    return seen


async def test_a_channel_before_its_first_call(both: Both) -> None:
    """Is IDLE, and stays so however often it is asked."""

    async def program(channel: Any, _: Any) -> Any:
        return channel.get_state(), channel.get_state(), channel.get_state(try_to_connect=False)

    await both(program)


async def test_a_channel_connects_when_it_is_told_to(both: Both) -> None:
    """And is READY in the end."""

    async def program(channel: Any, _: Any) -> Any:
        return (await _until(channel, _READY))[-1], channel.get_state()

    await both(program)


async def test_a_channel_connects_with_its_first_call(both: Both) -> None:
    """And is READY after it."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.unary_unary(path("Unary"))(b".")
        return channel.get_state()

    await both(program)


async def test_channel_ready(both: Both) -> None:
    """Returns once there is a connection, and at once from then on."""

    async def program(channel: Any, _: Any) -> Any:
        return await channel.channel_ready(), channel.get_state(), await channel.channel_ready()

    await both(program)


async def test_nobody_listens(both: Both) -> None:
    """TRANSIENT_FAILURE."""

    async def program(channel: Any, _: Any) -> Any:
        return (await _until(channel, grpc.ChannelConnectivity.TRANSIENT_FAILURE))[-1]

    await both(program, address=NOBODY)


async def test_channel_ready_waits_for_as_long_as_it_takes(both: Both) -> None:
    """It is up to the program to give up."""

    async def program(channel: Any, _: Any) -> Any:
        return await outcome(asyncio.wait_for(channel.channel_ready(), 0.2))

    await both(program, address=NOBODY)


async def test_waiting_for_a_change_from_another_state(both: Both) -> None:
    """Returns at once: the state isn't the one last seen."""

    async def program(channel: Any, _: Any) -> Any:
        return await channel.wait_for_state_change(_READY), channel.get_state()

    await both(program)


async def test_waiting_for_a_change_that_does_not_come(both: Both) -> None:
    """Goes on until it is cancelled."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        return await outcome(asyncio.wait_for(channel.wait_for_state_change(_READY), 0.1))

    await both(program)


async def test_a_closed_channel(both: Both) -> None:
    """Is SHUTDOWN for ever."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        await channel.close()
        return channel.get_state(), channel.get_state(try_to_connect=True)

    await both(program)


async def test_closing_is_a_change(both: Both) -> None:
    """Who waits for one is woken."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        waiting = asyncio.ensure_future(channel.wait_for_state_change(_READY))
        await asyncio.sleep(0)
        await channel.close()
        return await outcome(waiting), channel.get_state()

    await both(program)


async def test_waiting_on_a_closed_channel(both: Both) -> None:
    """For a change, or for a connection, is an error."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.close()
        shutdown = grpc.ChannelConnectivity.SHUTDOWN
        return (
            (await outcome(channel.wait_for_state_change(shutdown)))[0],
            (await outcome(channel.wait_for_state_change(_READY)))[0],
            (await outcome(channel.channel_ready()))[0],
        )

    await both(program)
