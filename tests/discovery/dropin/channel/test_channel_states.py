"""A channel reports the states of its connection as in grpc.

A synchronous channel has no `get_state`: its states are those that subscribers see.
"""

import asyncio
from typing import Any

import grpc
import pytest

from tests.support.discovery.dropin.awaitable_channel import AwaitableChannel
from tests.support.discovery.dropin.comparison import Both, outcome
from tests.support.discovery.dropin.scripted_server import NO_LISTENER, path

_READY = grpc.ChannelConnectivity.READY


_IN_ORDER = [
    grpc.ChannelConnectivity.IDLE,
    grpc.ChannelConnectivity.CONNECTING,
    grpc.ChannelConnectivity.TRANSIENT_FAILURE,
    _READY,
    grpc.ChannelConnectivity.SHUTDOWN,
]


async def _until(channel: Any, wanted: grpc.ChannelConnectivity) -> list[grpc.ChannelConnectivity]:
    """Collect the states until this one."""
    if isinstance(channel, AwaitableChannel):
        return await channel.states_until(wanted)
    seen = [channel.get_state(try_to_connect=True)]
    while seen[-1] is not wanted:
        await channel.wait_for_state_change(seen[-1])
        seen.append(channel.get_state())
    return seen


async def test_a_channel_before_its_first_call(aio: Both) -> None:
    """A channel is IDLE before its first call, however often its state is read."""

    async def program(channel: Any, _: Any) -> Any:
        return channel.get_state(), channel.get_state(), channel.get_state(try_to_connect=False)

    await aio(program)


@pytest.mark.parametrize(
    ("address", "last"),
    [(None, _READY), (NO_LISTENER, grpc.ChannelConnectivity.TRANSIENT_FAILURE)],
)
async def test_the_order_of_the_states(
    both: Both, address: str | None, last: grpc.ChannelConnectivity
) -> None:
    """A channel that connects is IDLE, then CONNECTING, then READY or TRANSIENT_FAILURE."""

    async def program(channel: Any, _: Any) -> Any:
        seen = await _until(channel, last)
        assert seen == sorted(set(seen), key=_IN_ORDER.index)
        # A short CONNECTING may pass unseen.
        return [state for state in seen if state is not grpc.ChannelConnectivity.CONNECTING]

    await both(program, **({} if address is None else {"address": address}))


async def test_a_subscriber_does_not_connect(both: Both) -> None:
    """A channel that is only looked at is IDLE."""

    async def program(channel: Any, _: Any) -> Any:
        return await _until(channel, grpc.ChannelConnectivity.IDLE)

    await both(program)


async def test_entering_the_block_does_not_connect(aio: Both) -> None:
    """`async with` opens no connection; only a call or a request for the state does."""

    async def program(channel: Any, _: Any) -> Any:
        async with channel:
            return channel.get_state(), channel.get_state()

    await aio(program)


async def test_a_wait_for_the_end_of_idle(aio: Both) -> None:
    """A wait for another state than IDLE ends when the first call begins to connect."""

    async def program(channel: Any, _: Any) -> Any:
        waiting = asyncio.ensure_future(
            channel.wait_for_state_change(grpc.ChannelConnectivity.IDLE)
        )
        await asyncio.sleep(0)
        call = channel.unary_unary(path("Unary"))(b".", wait_for_ready=True)
        await waiting
        return channel.get_state() is not grpc.ChannelConnectivity.IDLE, call.cancel()

    await aio(program, address=NO_LISTENER)


async def test_a_channel_connects_on_request(aio: Both) -> None:
    """`get_state(try_to_connect=True)` leads to READY."""

    async def program(channel: Any, _: Any) -> Any:
        return (await _until(channel, _READY))[-1], channel.get_state()

    await aio(program)


async def test_a_channel_connects_with_its_first_call(aio: Both) -> None:
    """The first call leads to READY."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.unary_unary(path("Unary"))(b".")
        return channel.get_state()

    await aio(program)


async def test_channel_ready(aio: Both) -> None:
    """`channel_ready` returns once the channel is connected, and at once after that."""

    async def program(channel: Any, _: Any) -> Any:
        return await channel.channel_ready(), channel.get_state(), await channel.channel_ready()

    await aio(program)


async def test_nothing_listens_on_the_port(aio: Both) -> None:
    """A port without a listener leads to TRANSIENT_FAILURE."""

    async def program(channel: Any, _: Any) -> Any:
        return (await _until(channel, grpc.ChannelConnectivity.TRANSIENT_FAILURE))[-1]

    await aio(program, address=NO_LISTENER)


async def test_channel_ready_waits_without_a_limit(aio: Both) -> None:
    """`channel_ready` waits until the program cancels it."""

    async def program(channel: Any, _: Any) -> Any:
        return await outcome(asyncio.wait_for(channel.channel_ready(), 0.2))

    await aio(program, address=NO_LISTENER)


async def test_waiting_for_a_change_from_another_state(aio: Both) -> None:
    """Waiting for a change from another state than the current one returns at once."""

    async def program(channel: Any, _: Any) -> Any:
        return await channel.wait_for_state_change(_READY), channel.get_state()

    await aio(program)


async def test_waiting_for_a_change_that_does_not_come(aio: Both) -> None:
    """Waiting for a change that doesn't come ends only when it is cancelled."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        return await outcome(asyncio.wait_for(channel.wait_for_state_change(_READY), 0.1))

    await aio(program)


async def test_a_closed_channel(aio: Both) -> None:
    """A closed channel stays in SHUTDOWN."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        await channel.close()
        return channel.get_state(), channel.get_state(try_to_connect=True)

    await aio(program)


async def test_closing_is_a_change(aio: Both) -> None:
    """Closing wakes a wait for a change."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.channel_ready()
        waiting = asyncio.ensure_future(channel.wait_for_state_change(_READY))
        await asyncio.sleep(0)
        await channel.close()
        return await outcome(waiting), channel.get_state()

    await aio(program)


async def test_waiting_on_a_closed_channel(aio: Both) -> None:
    """Waiting for a change or a connection on a closed channel raises."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.close()
        shutdown = grpc.ChannelConnectivity.SHUTDOWN
        return (
            (await outcome(channel.wait_for_state_change(shutdown)))[0],
            (await outcome(channel.wait_for_state_change(_READY)))[0],
            (await outcome(channel.channel_ready()))[0],
        )

    await aio(program)
