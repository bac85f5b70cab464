"""All addresses of a DNS name."""

import asyncio
import random
from contextlib import aclosing, suppress

import pytest

import discovery
from discovery import blocking
from discovery.clock import SystemClock
from discovery.registry.dns import DnsWatcher
from discovery.registry.instance import Instance, Resolution
from discovery.registry.protocols import RegistryError
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Start, path
from tests.support.discovery.running_resolver import ResolverUnderTest
from tests.support.limits import WAIT_S


class FakeNameServer:
    """A name server in place of the system's; without addresses it knows no name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[tuple[str, int]]:
        self.asked += 1
        if not self.addresses:
            raise OSError(f"{host}: name or service not known")
        return [(address, port) for address in self.addresses]


class SwallowingNameServer:
    """Answers instead of being cancelled, as `asyncio.wait_for` of Python 3.11 sometimes does."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def __call__(self, host: str, port: int) -> list[tuple[str, int]]:
        self.asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return [("10.0.0.1", port)]


async def test_a_swallowed_cancellation_ends_the_watching() -> None:
    """Otherwise a channel that is closed at that moment would wait for it for ever."""
    names = SwallowingNameServer()
    watcher = DnsWatcher("order:50051", clock=ManualClock(), rng=random.Random(1), ask=names)

    async def follow() -> None:
        async with aclosing(watcher.watch("order")) as lists:
            async for _ in lists:
                pass

    following = asyncio.ensure_future(follow())
    await names.asked.wait()
    following.cancel()
    await asyncio.wait([following], timeout=WAIT_S)

    assert following.cancelled()


async def test_every_address_of_a_name_is_an_instance() -> None:
    """localhost has at least one instance, dialled by its address."""
    watcher = DnsWatcher("localhost:50051", clock=ManualClock(), rng=random.Random(1))
    listed = await watcher.lookup("localhost:50051")
    assert {instance.port for instance in listed} == {50051}
    assert {instance.address for instance in listed} & {"127.0.0.1", "::1"}


async def test_a_name_is_looked_up_again_and_again() -> None:
    """New addresses of a name are seen within 30 s; the same addresses yield nothing."""
    clock, names = ManualClock(), FakeNameServer("10.0.0.2", "10.0.0.1", "10.0.0.2")
    watcher = DnsWatcher("order.internal:50051", clock=clock, rng=random.Random(1), ask=names)
    async with aclosing(watcher.watch("order")) as lists:
        listed = await anext(lists)
        assert [instance.address for instance in listed] == ["10.0.0.1", "10.0.0.2"]
        waiting = asyncio.ensure_future(anext(lists))
        await clock.advance(100)
        assert not waiting.done()
        assert names.asked >= 4
        names.addresses = ["10.0.0.3"]
        await clock.advance(30)
        assert [instance.address for instance in await waiting] == ["10.0.0.3"]


async def test_an_unknown_name_is_a_registry_error() -> None:
    """A name server that doesn't know the name, or doesn't answer, raises RegistryError."""
    watcher = DnsWatcher(
        "order.internal:50051", clock=ManualClock(), rng=random.Random(1), ask=FakeNameServer()
    )
    with pytest.raises(RegistryError, match=r"order\.internal can't be resolved"):
        await anext(watcher.watch("order"))


async def test_a_name_is_asked_again_while_an_address_does_not_serve() -> None:
    """Addresses that replace dead ones are known within seconds, not at the end of the interval.

    While that doesn't help, the name is looked up at most every few seconds; when all serve again,
    at the interval.
    """
    clock, names = ManualClock(), FakeNameServer("10.0.0.1")
    watcher = DnsWatcher("order.internal:50051", clock=clock, rng=random.Random(1), ask=names)
    old, new = (Instance(f"10.0.0.{n}:50051", "order", f"10.0.0.{n}", 50051) for n in (1, 2))
    async with ResolverUnderTest(watcher, clock=clock, serving={old, new}).open() as resolver:
        await clock.advance(30)
        assert names.asked <= 3

        resolver.serving.discard(old)
        await clock.advance(1)
        asked = names.asked
        await clock.advance(60)
        assert 10 <= names.asked - asked <= 30
        names.addresses = ["10.0.0.2"]
        await clock.advance(5)
        assert resolver.latest == Resolution(2, (new,))

        asked = names.asked
        await clock.advance(60)
        assert names.asked - asked <= 4


async def test_replaced_addresses_are_called(start: Start) -> None:
    """A channel calls the new address of a name as soon as the old one is gone."""
    old = await start("old")
    names = FakeNameServer(old.host)
    watcher = DnsWatcher(
        f"order.internal:{old.port}",
        clock=SystemClock(),
        rng=random.Random(1),
        interval_s=3600.0,
        ask=names,
    )
    async with discovery.open_channel(
        f"dns:///order.internal:{old.port}", watcher=watcher
    ) as channel:
        post = channel.unary_unary(path("Post"))
        assert await post(b"x") == b"old:x"
        new = await start("new", host="127.0.0.2", port=old.port)
        names.addresses = [new.host]
        await old.stop()
        assert await post(b"x", wait_for_ready=True, timeout=60) == b"new:x"


async def test_a_blocking_channel_calls_replaced_addresses(start: Start) -> None:
    """So does a blocking channel, whose resolver runs in another thread."""
    old = await start("old")
    names = FakeNameServer(old.host)
    address = f"order.internal:{old.port}"
    watcher = DnsWatcher(
        address, clock=SystemClock(), rng=random.Random(1), interval_s=3600.0, ask=names
    )
    channel = blocking.open_channel(f"dns:///{address}", watcher=watcher)
    post = channel.unary_unary(path("Post"))

    def ask() -> bytes:
        answer: bytes = post(b"x", wait_for_ready=True, timeout=60)
        return answer

    with channel:
        assert await asyncio.to_thread(ask) == b"old:x"
        new = await start("new", host="127.0.0.2", port=old.port)
        names.addresses = [new.host]
        await old.stop()
        assert await asyncio.to_thread(ask) == b"new:x"
