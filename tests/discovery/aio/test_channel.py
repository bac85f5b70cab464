"""One logical channel to all instances of a service."""

import asyncio
import random
from typing import Any

import grpc
import pytest
from grpc import ChannelConnectivity, StatusCode

import discovery
from discovery.errors import InvalidServiceConfigError, InvalidTargetError, NoInstanceError
from discovery.registry.memory import MemoryRegistry
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Start, ended_unnoticed, failed, path, ready

NO_DELAY = {
    "maxAttempts": 2,
    "initialBackoff": "0.001s",
    "maxBackoff": "0.001s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

# A port that nothing listens on.
DEAD = "static:///127.0.0.1:1"


async def test_calls_are_spread_over_all_instances(start: Start, open_to: Open) -> None:
    """By default, P2C on peak EWMA spreads the calls over all instances."""
    servers = [await start(name) for name in "abc"]
    channel = open_to(*servers)
    get = channel.unary_unary(path("Get"))

    while not all(len(server.seen) > 5 for server in servers):
        await asyncio.gather(*(get(b"x") for _ in range(10)))


async def test_round_robin_takes_each_in_turn(start: Start, open_to: Open) -> None:
    """The service config can choose round_robin, which picks the instances in turn."""
    servers = [await start(name) for name in "abc"]
    channel = open_to(*servers, service_config='{"loadBalancingConfig": [{"round_robin": {}}]}')
    get = channel.unary_unary(path("Get"))
    while len({await get(b"x") for _ in range(3)}) < 3:
        pass

    answers = [await get(b"y") for _ in range(9)]

    assert sorted(answers) == [b"a:y"] * 3 + [b"b:y"] * 3 + [b"c:y"] * 3


async def test_nothing_is_opened_before_the_first_call(start: Start, open_to: Open) -> None:
    """A channel starts no task and stays IDLE until its first call."""
    server = await start("a")
    before = asyncio.all_tasks()

    channel = open_to(server)
    channel.unary_unary(path("Get"))

    assert channel.get_state() is ChannelConnectivity.IDLE
    assert asyncio.all_tasks() == before


def test_a_channel_is_made_without_a_loop() -> None:
    """A channel can be made without a running event loop, for example at import time."""
    channel = discovery.open_channel(DEAD, rng=random.Random(7))

    assert isinstance(channel, grpc.aio.Channel)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"target": "order"}, InvalidTargetError),
        ({"target": DEAD, "service_config": "{}}"}, InvalidServiceConfigError),
        ({"target": DEAD, "interceptors": [object()]}, ValueError),
    ],
)
def test_invalid_arguments_are_refused_when_the_channel_is_opened(
    arguments: Any, error: type[Exception]
) -> None:
    """Invalid arguments raise when the channel is opened, not at the first call."""
    with pytest.raises(error):
        discovery.open_channel(**arguments, rng=random.Random(7))


async def test_states_are_aggregated(start: Start, open_to: Open) -> None:
    """The channel is READY while any instance is, and TRANSIENT_FAILURE after the last is gone."""
    a, b = await start("a"), await start("b")
    channel = open_to(a, b)

    assert channel.get_state(try_to_connect=True) is ChannelConnectivity.IDLE
    assert channel.get_state() is ChannelConnectivity.CONNECTING
    await channel.channel_ready()
    assert channel.get_state() is ChannelConnectivity.READY

    await a.stop()
    await channel.unary_unary(path("Get"))(b"x")
    assert channel.get_state() is ChannelConnectivity.READY

    await b.stop()
    await failed(channel)

    await channel.close()
    assert channel.get_state() is ChannelConnectivity.SHUTDOWN


async def test_a_call_waits_while_an_instance_is_connecting(start: Start, open_to: Open) -> None:
    """A call waits for a connecting instance and needs no retry, whose delay
    would never end here.
    """
    channel = open_to(await start("a"), clock=ManualClock())

    answer = channel.unary_unary(path("Get"))(b"x")

    assert await asyncio.wait_for(answer, 60.0) == b"a:x"


async def test_unsafe_calls_avoid_a_connection_that_just_ended(start: Start, open_to: Open) -> None:
    """Unsafe calls can't be retried, so they check that the connection is READY first."""
    dead, alive = await start("dead"), await start("alive")
    channel = open_to(dead, alive)
    await ready(channel, 2)
    await ended_unnoticed(channel, dead)

    # No await between the calls, so that the watch of the dead connection can't run.
    calls = [channel.unary_unary(path("Post"))(b"x") for _ in range(10)]
    assert {await call for call in calls} == {b"alive:x"}


async def test_a_dead_address_fails_fast(open_to: Open) -> None:
    """A call fails with the instances' states once all are in TRANSIENT_FAILURE."""
    async with discovery.open_channel(DEAD, rng=random.Random(7)) as channel:
        with pytest.raises(NoInstanceError, match=r"127\.0\.0\.1:1 TRANSIENT_FAILURE"):
            await channel.unary_unary(path("Get"))(b"x")


async def test_wait_for_ready_waits_for_an_instance(start: Start) -> None:
    """With wait_for_ready, a call waits until an instance is registered."""
    registry = MemoryRegistry()
    async with discovery.open_channel(
        "memory:///probe", watcher=registry, rng=random.Random(7)
    ) as channel:
        call = asyncio.ensure_future(channel.unary_unary(path("Post"))(b"x", wait_for_ready=True))
        await failed(channel)
        assert not call.done()

        server = await start("a")
        await registry.register(server.instance())

        assert await call == b"a:x"


async def test_wait_for_ready_waits_to_the_deadline() -> None:
    """With wait_for_ready, a call waits until its deadline and no longer."""
    clock = ManualClock()
    async with discovery.open_channel(DEAD, clock=clock, rng=random.Random(7)) as channel:
        get = channel.unary_unary(path("Get"))
        call = asyncio.ensure_future(get(b"x", wait_for_ready=True, timeout=5.0))
        await failed(channel)

        await clock.wait_for_sleepers()
        await clock.advance(5.0)

        with pytest.raises(discovery.LocalRefusalError) as refused:
            await call
        assert refused.value.code() is StatusCode.DEADLINE_EXCEEDED


async def test_wait_for_ready_may_be_configured() -> None:
    """The service config sets wait_for_ready of a method; a call's own
    argument takes precedence.
    """
    config = {"methodConfig": [{"name": [{}], "waitForReady": True, "retryPolicy": NO_DELAY}]}
    async with discovery.open_channel(DEAD, service_config=config, rng=random.Random(7)) as channel:
        get = channel.unary_unary(path("Get"))
        waiting = asyncio.ensure_future(get(b"x"))

        with pytest.raises(NoInstanceError):
            await get(b"x", wait_for_ready=False)
        assert not waiting.done()
        waiting.cancel()


async def test_a_failed_first_look_up_fails_calls() -> None:
    """A registry that fails at the first look-up is TRANSIENT_FAILURE, and
    calls carry its error.
    """
    registry = MemoryRegistry()
    registry.fail("no route to Consul")
    async with discovery.open_channel(
        "memory:///probe", watcher=registry, rng=random.Random(7)
    ) as channel:
        with pytest.raises(NoInstanceError, match="no route to Consul"):
            await channel.unary_unary(path("Get"))(b"x")


async def test_a_resolver_that_breaks_fails_calls() -> None:
    """When a watcher raises an unexpected error, calls fail with it at once."""

    class Broken(MemoryRegistry):
        async def watch(self, service: str, *, tag: str | None = None) -> Any:
            raise LookupError("a fault of the watcher")
            yield

    async with discovery.open_channel(
        "memory:///probe", watcher=Broken(), rng=random.Random(7)
    ) as channel:
        with pytest.raises(NoInstanceError, match="a fault of the watcher"):
            await channel.unary_unary(path("Get"))(b"x")


async def test_one_path_may_be_called_as_two_kinds(start: Start, open_to: Open) -> None:
    """The client allows one path as two kinds of call; the server decides which is right."""
    channel = open_to(await start("a"))

    assert await channel.unary_unary(path("Get"))(b"x") == b"a:x"
    watch = channel.unary_stream(path("Get"))(b"x")
    assert [message async for message in watch] == [b"a:x"]


async def test_instances_come_and_go(start: Start) -> None:
    """Calls follow the registry, and none fails while instances come and go."""
    registry = MemoryRegistry()
    a, b = await start("a"), await start("b")
    await registry.register(a.instance())
    async with discovery.open_channel(
        "memory:///probe", watcher=registry, rng=random.Random(7)
    ) as channel:
        post = channel.unary_unary(path("Post"))
        assert await post(b"x") == b"a:x"

        await registry.register(b.instance())
        while await post(b"x") != b"b:x":
            pass
