"""With a service name in healthCheckConfig, another service's server isn't called."""

import asyncio

import pytest

from discovery import blocking
from discovery.errors import NoInstanceError
from tests.support.discovery.probe_service import SERVING, Open, Probe, Start, failed, path, ready

NAMED = {"healthCheckConfig": {"serviceName": "shop.Order"}}


@pytest.fixture
async def stranger(start: Start) -> Probe:
    """A server that serves the same methods, and SERVING as a whole, but isn't shop.Order."""
    return await start("stranger", health=SERVING)


async def order(start: Start) -> Probe:
    """A server that is shop.Order."""
    made = await start("order", health=SERVING)
    assert made.health is not None
    await made.health.set("shop.Order", SERVING)
    return made


async def test_another_service_isnt_called(start: Start, open_to: Open, stranger: Probe) -> None:
    """All calls go to the servers that know the name, also of a method that both have."""
    channel = open_to(await order(start), stranger, service_config=NAMED)
    await ready(channel, 1)

    answers = [await channel.unary_unary(path("Post"))(b"x") for _ in range(20)]
    watched = [message async for message in channel.unary_stream(path("Watch"))(b"x")]

    assert answers == [b"order:x"] * 20
    assert watched[0] == b"order:x0"
    assert not stranger.seen


async def test_blocking_calls_avoid_it_as_well(start: Start, stranger: Probe) -> None:
    """The blocking driver follows the same rule."""
    addresses = f"{(await order(start)).address},{stranger.address}"

    def ask() -> list[bytes]:
        with blocking.open_channel(f"static:///{addresses}", service_config=NAMED) as channel:
            return [channel.unary_unary(path("Post"))(b"x") for _ in range(20)]

    assert await asyncio.to_thread(ask) == [b"order:x"] * 20
    assert not stranger.seen


async def test_the_error_says_why(open_to: Open, stranger: Probe) -> None:
    """Where no server knows the name, calls fail, and the error names the setting."""
    channel = open_to(stranger, service_config=NAMED)
    channel.get_state(try_to_connect=True)
    await failed(channel)

    with pytest.raises(NoInstanceError, match=r"healthCheckConfig\.serviceName"):
        await channel.unary_unary(path("Get"))(b"x")


async def test_a_name_that_is_added_later_is_noticed(open_to: Open, stranger: Probe) -> None:
    """The server is called from the moment it serves the name."""
    channel = open_to(stranger, service_config=NAMED)
    channel.get_state(try_to_connect=True)
    await failed(channel)
    assert stranger.health is not None

    await stranger.health.set("shop.Order", SERVING)
    await channel.channel_ready()

    assert await channel.unary_unary(path("Get"))(b"x") == b"stranger:x"
