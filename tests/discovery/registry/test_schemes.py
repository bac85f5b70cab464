"""Which watcher goes with which target, and what those without a registry see."""

import asyncio
import random
from contextlib import aclosing

import pytest

from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.dns import DnsWatcher
from discovery.registry.memory import memory_registry
from discovery.registry.protocols import RegistryError
from discovery.registry.schemes import watcher_for
from discovery.registry.static import StaticWatcher
from discovery.registry.target import parse_target
from tests.support.clock.manual_clock import ManualClock


def test_each_scheme_has_its_watcher() -> None:
    """A target's scheme says who is asked; nothing is opened before that."""
    clock, rng = ManualClock(), random.Random(1)
    for text, kind in [
        ("consul:///order", ConsulRegistry),
        ("static:///10.0.0.1:50051", StaticWatcher),
        ("dns:///localhost:50051", DnsWatcher),
    ]:
        assert isinstance(watcher_for(parse_target(text), clock=clock, rng=rng), kind)
    in_memory = watcher_for(parse_target("memory://north/order"), clock=clock, rng=rng)
    assert in_memory is memory_registry("north")


async def test_a_fixed_list_never_changes() -> None:
    """Each address is an instance whose id is its endpoint; after the list there is silence."""
    watcher = StaticWatcher(("10.0.0.2:50051", "[::1]:50051", "10.0.0.1:50051"))
    async with aclosing(watcher.watch("order")) as lists:
        listed = await anext(lists)
        assert [instance.endpoint for instance in listed] == [
            "10.0.0.1:50051",
            "10.0.0.2:50051",
            "[::1]:50051",
        ]
        assert all(instance.instance_id == instance.endpoint for instance in listed)
        waiting = asyncio.ensure_future(anext(lists))
        await ManualClock().settle()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


class Names:
    """A name server in the place of the system's; without addresses it knows nobody."""

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
    """localhost is at least one instance, dialled by its address."""
    watcher = DnsWatcher("localhost:50051", clock=ManualClock(), rng=random.Random(1))
    listed = await watcher.lookup("localhost:50051")
    assert {instance.port for instance in listed} == {50051}
    assert {instance.address for instance in listed} & {"127.0.0.1", "::1"}


async def test_a_name_is_looked_up_again_and_again() -> None:
    """New addresses of a name are seen within half a minute; the same ones yield nothing."""
    clock, names = ManualClock(), Names("10.0.0.2", "10.0.0.1", "10.0.0.2")
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
    """A name server that doesn't know, or doesn't answer, is a registry that fails."""
    watcher = DnsWatcher(
        "order.internal:50051", clock=ManualClock(), rng=random.Random(1), ask=Names()
    )
    with pytest.raises(RegistryError, match=r"order\.internal can't be resolved"):
        await anext(watcher.watch("order"))
