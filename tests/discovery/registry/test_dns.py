"""All addresses of a DNS name."""

import asyncio
import random
from contextlib import aclosing

import pytest

from discovery.registry.dns import DnsWatcher
from discovery.registry.protocols import RegistryError
from tests.support.clock.manual_clock import ManualClock


class FakeNameServer:
    """A name server in place of the system's; without addresses it knows no name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        del port
        self.asked += 1
        if not self.addresses:
            raise OSError(f"{host}: name or service not known")
        return self.addresses


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
