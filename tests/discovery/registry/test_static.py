"""A fixed list of addresses."""

import asyncio
from contextlib import aclosing

from discovery.registry.static import StaticWatcher
from tests.support.clock.manual_clock import ManualClock


async def test_a_fixed_list_never_changes() -> None:
    """Each address is an instance whose id is its endpoint; there is one list only."""
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
