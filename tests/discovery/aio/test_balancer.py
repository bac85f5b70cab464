"""The balancer connects to each instance of the newest resolution and
picks among those in READY.
"""

import asyncio
from dataclasses import replace

import grpc
import pytest

import discovery
from discovery.balancing.instance_stats import InstanceStats, StatsTable
from discovery.registry.instance import Instance, Resolution
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    LONG_S,
    NOT_SERVING,
    SERVING,
    Open,
    Probe,
    Start,
    path,
    ready,
    subchannels,
)


async def test_no_change_is_missed(start: Start, open_to: Open) -> None:
    """A change between asking for it and waiting for it is not missed."""
    server = await start("a")
    channel = open_to(server)
    await ready(channel, 1)

    change = channel._balancer.change()
    remove(channel, server)

    assert change.done()


async def test_a_removed_instance_drains(start: Start, open_to: Open) -> None:
    """A removed instance gets no new calls, finishes those in flight, and is then closed."""
    a, b = await start("a"), await start("b")
    channel = open_to(a, b)
    await ready(channel, 2)
    gone = next(one for one in subchannels(channel) if one.instance.endpoint == a.address)
    a.gate.clear()
    post = channel.unary_unary(path("Post"))
    waiting = [asyncio.ensure_future(post(b"x")) for _ in range(4)]
    await asyncio.gather(a.wait_for_calls(1), b.wait_for_calls(1))

    remove(channel, a)
    assert {await post(b"y") for _ in range(5)} == {b"b:y"}
    a.gate.set()

    assert set(await asyncio.gather(*waiting)) == {b"a:x", b"b:x"}
    await channel._balancer._draining[key(a)][1]
    assert not channel._balancer._draining
    assert gone._native.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_an_instance_that_comes_back_keeps_its_connection(
    start: Start, open_to: Open
) -> None:
    """An instance that is listed again before it has drained keeps its connection."""
    server = await start("a")
    channel = open_to(server)
    await ready(channel, 1)
    before = subchannels(channel)
    listed = channel._balancer._resolution
    assert listed is not None
    server.gate.clear()
    waiting = asyncio.ensure_future(channel.unary_unary(path("Post"))(b"x"))
    await server.wait_for_calls(1)

    remove(channel, server)
    channel._balancer.update(listed)
    server.gate.set()

    assert subchannels(channel) == before
    assert await waiting == b"a:x"
    assert await channel.unary_unary(path("Post"))(b"y") == b"a:y"


async def test_load_is_kept_across_updates(start: Start, open_to: Open) -> None:
    """Load belongs to an incarnation: listing it again keeps the load, a restart resets it."""
    a, b = await start("a"), await start("b")
    channel = open_to(a, b)
    await ready(channel, 2)
    balancer = channel._balancer
    one = subchannels(channel)[0]
    one.load.observe(7.0, channel.clock.monotonic())
    listed = balancer._resolution

    remove(channel, *(server for server in (a, b) if server.address == one.instance.endpoint))
    balancer.update(listed)

    loads = {each.instance.instance_id: each.load for each in subchannels(channel)}
    assert loads[one.instance.instance_id] is one.load

    restarted = Instance(
        one.instance.instance_id, "probe", "127.0.0.1", one.instance.port, incarnation="2"
    )
    balancer.update(Resolution(9, (restarted,)))
    (again,) = subchannels(channel)
    assert again.load is not one.load


async def test_an_id_that_moves_to_another_port(start: Start, open_to: Open) -> None:
    """Calls to the new port of an id neither keep the old connection nor count in its load."""
    old, new = await start("old"), await start("new")
    channel = open_to(old)
    await ready(channel, 1)
    balancer = channel._balancer
    (before,) = subchannels(channel)
    new.gate.clear()

    balancer.update(Resolution(2, (replace(before.instance, port=new.port),)))
    await ready(channel, 1)
    waiting = asyncio.ensure_future(channel.unary_unary(path("Post"))(b"x"))
    await new.wait_for_calls(1)

    assert before.load.in_flight == 0
    await asyncio.wait_for(asyncio.gather(*(task for _, task in balancer._draining.values())), 60)
    assert before._native.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    new.gate.set()
    assert await waiting == b"new:x"


async def test_an_update_keeps_the_connections_of_listed_instances(
    start: Start, open_to: Open
) -> None:
    """An instance that stays listed keeps its connection and gets its new weight."""
    a, b = await start("a"), await start("b")
    channel = open_to(a, b)
    await ready(channel, 2)
    before = subchannels(channel)
    listed = channel._balancer._resolution
    assert listed is not None

    heavier = tuple(replace(one, weight=5) for one in listed.instances)
    channel._balancer.update(Resolution(2, heavier))

    assert subchannels(channel) == before
    assert [one.instance.weight for one in before] == [5, 5]


async def test_a_load_outlasts_a_connection(start: Start, open_to: Open) -> None:
    """The load of an instance that was unlisted for less than 100 s is kept."""
    a, b = await start("a"), await start("b")
    clock = ManualClock()
    channel = open_to(a, b, clock=clock)
    await ready(channel, 2)
    balancer = channel._balancer
    before = {one.instance.endpoint: one for one in subchannels(channel)}
    listed = balancer._resolution
    assert listed is not None

    remove(channel, a)
    await balancer._draining[key(a)][1]
    await clock.advance(90.0)
    balancer.update(Resolution(8, ()))
    balancer.update(listed)

    after = {one.instance.endpoint: one for one in subchannels(channel)}
    assert after[a.address] is not before[a.address]
    assert after[a.address].load is before[a.address].load


async def test_a_load_is_forgotten_when_it_has_decayed(start: Start, open_to: Open) -> None:
    """The load of an instance that was unlisted for more than 100 s is forgotten."""
    server = await start("a")
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)
    (one,) = subchannels(channel)
    listed = channel._balancer._resolution
    assert listed is not None

    remove(channel, server)
    await clock.advance(101.0)
    channel._balancer.update(Resolution(8, ()))
    channel._balancer.update(listed)

    (again,) = subchannels(channel)
    assert again.load is not one.load


async def test_an_instance_that_does_not_answer_is_not_picked(start: Start, open_to: Open) -> None:
    """Another instance is picked even if it was slower, and before any call
    reached its deadline.
    """
    (silent, well), clock = [await start(name) for name in ("silent", "well")], ManualClock()
    channel = open_to(silent, well, clock=clock)
    await ready(channel, 2)
    of_well = next(one for one in subchannels(channel) if one.instance.endpoint == well.address)
    of_well.load.observe(0.5, clock.monotonic())
    silent.gate.clear()
    post = channel.unary_unary(path("Post"))
    unanswered = asyncio.ensure_future(post(b"x"))
    await silent.wait_for_calls(1)

    await clock.advance(1.0)

    assert [await post(b"y", timeout=60) for _ in range(5)] == [b"well:y"] * 5
    silent.gate.set()
    assert await unanswered == b"silent:x"


async def test_the_record_of_an_instance_with_calls_in_flight_is_kept() -> None:
    """A record is kept while calls are in flight, so that their outcomes count."""
    clock = ManualClock()

    def make(instance: Instance, now_s: float) -> InstanceStats:
        return InstanceStats(instance, now_s, suspect=ignore, redeem=ignore)

    def ignore(*_attempt: object) -> None: ...

    records = StatsTable(clock=clock, make=make)
    instance = Instance("a", "probe", "127.0.0.1", 1)
    record = records.of(instance)
    record.load.in_flight = 1

    await clock.advance(101.0)
    records.forget_old()
    assert records.of(instance) is record

    record.load.in_flight = 0
    await clock.advance(101.0)
    records.forget_old()
    assert records.of(instance) is not record


async def test_slow_start_does_not_begin_before_an_instance_serves(
    start: Start, open_to: Open
) -> None:
    """An instance that was listed long before it serves starts slowly all the same."""
    server, clock = await start("a", health=NOT_SERVING), ManualClock()
    channel = open_to(server, clock=clock)
    channel.get_state(try_to_connect=True)
    await channel.wait_for_state_change(channel.get_state())
    await clock.advance(30.0)
    await server.set_health(SERVING)
    await ready(channel, 1)

    (cold,) = channel.explain().instances
    assert cold.share == pytest.approx(0.1)


async def test_a_slow_start_begins_when_an_instance_can_be_picked(
    start: Start, open_to: Open
) -> None:
    """An instance has a tenth of its weight when it becomes READY and all of it 30 s later."""
    clock = ManualClock()
    channel = open_to(await start("a"), clock=clock)
    await ready(channel, 1)

    (cold,) = channel.explain().instances
    await clock.advance(30.0)
    (warm,) = channel.explain().instances

    assert (cold.share, warm.share) == (pytest.approx(0.1), 1.0)


async def test_closing_cancels_calls_to_removed_instances(start: Start, open_to: Open) -> None:
    """Closing the channel also closes the connections that drain."""
    server = await start("a")
    channel = open_to(server)
    await ready(channel, 1)
    server.gate.clear()
    waiting = asyncio.ensure_future(channel.unary_unary(path("Post"))(b"x", timeout=LONG_S))
    await server.wait_for_calls(1)
    remove(channel, server)

    await channel.close()

    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await server.was_cancelled()


def remove(channel: discovery.Channel, *servers: Probe) -> None:
    """Remove servers from the channel's list."""
    balancer = channel._balancer
    gone = {server.address for server in servers}
    listed = balancer._resolution
    assert listed is not None
    left = tuple(one for one in listed.instances if one.endpoint not in gone)
    balancer.update(Resolution(listed.version + 1, left))


def key(server: Probe) -> tuple[str, str, str]:
    """The balancer's key of a server of a static target."""
    return (server.address, "", server.address)
