"""A new edge waits for instances before it tells Envoys anything."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from structlog.testing import capture_logs

from discovery.registry.memory import MemoryRegistry
from services.edge.control_plane.registry_watch import Instances, RegistryWatch
from tests.support.clock.manual_clock import ManualClock
from tests.support.edge.running_edge import instance_at

FIRST_INSTANCES_S = 5.0
ORDER, PAYMENT = instance_at("order", "127.0.0.1:1"), instance_at("payment", "127.0.0.1:2")


class Told:
    """What the watch has told, and the registry and the clock by which it does."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.clock = ManualClock()
        self.instances: list[Instances] = []

    def names(self) -> list[dict[str, list[str]]]:
        """The ids of the instances of each service, as they were told one after the other."""
        return [
            {service: [one.instance_id for one in found] for service, found in each.items()}
            for each in self.instances
        ]


@asynccontextmanager
async def watching() -> AsyncIterator[Told]:
    """Watch two services, of which none is registered yet."""
    told = Told()
    watch = RegistryWatch(
        ("order", "payment"),
        watcher=told.registry,
        clock=told.clock,
        rng=random.Random(1),
        changed=told.instances.append,
        first_instances_s=FIRST_INSTANCES_S,
    )
    running = asyncio.create_task(watch.run())
    await told.clock.settle()
    yield told
    running.cancel()


async def test_nothing_is_told_before_each_service_has_an_instance() -> None:
    """A registry that has just started may know nobody yet; callers are not answered by 503."""
    async with watching() as told:
        await told.registry.register(ORDER)
        await told.clock.settle()
        assert told.names() == []

        await told.registry.register(PAYMENT)
        await told.clock.settle()

        assert told.names() == [{"order": ["order-1"], "payment": ["payment-2"]}]
        await told.clock.advance(2 * FIRST_INSTANCES_S)
        assert len(told.instances) == 1


async def test_a_service_that_nobody_serves_does_not_stop_the_others() -> None:
    """After a while the edge serves what there is, and later what comes."""
    async with watching() as told:
        await told.registry.register(ORDER)
        await told.clock.advance(FIRST_INSTANCES_S)
        assert told.names() == [{"order": ["order-1"], "payment": []}]

        await told.registry.register(PAYMENT)
        await told.clock.settle()

        assert told.names()[1:] == [{"order": ["order-1"], "payment": ["payment-2"]}]


async def test_an_instance_with_a_name_for_an_address_is_left_out() -> None:
    """Envoy dials addresses only: the log names it, and the last ones that can be dialled stay."""
    named = replace(ORDER, instance_id="order-9", address="order.internal", incarnation="other")
    with capture_logs() as lines:
        async with watching() as told:
            await told.registry.register(PAYMENT)
            await told.registry.register(named)
            await told.clock.settle()
            assert told.names() == []
            await told.registry.register(ORDER)
            await told.clock.settle()
            await told.registry.deregister(ORDER)
            await told.clock.settle()

            assert told.names() == [{"order": ["order-1"], "payment": ["payment-2"]}]
    left_out = [line["instances"] for line in lines if line["event"] == "instances_left_out"]
    assert left_out == [["order-9"]] * 3
    assert [line["target"] for line in lines if line["event"] == "last_instances_stay"] == ["order"]
