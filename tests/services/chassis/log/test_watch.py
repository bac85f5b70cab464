"""A watch wakes its task for matching changes only."""

from services.chassis.log.watch import Watch
from services.chassis.store.unit.change import Change


async def test_a_watch_that_is_due_does_not_wait() -> None:
    """A watch is due for changes reported before it waits, and woken only by matching ones."""
    watch = Watch(lambda change: change.type == "Placed")
    watch.report(Change(1, "ord_1", 1, "Placed"))
    watch.report(Change(2, "ord_1", 2, "Confirmed"))
    assert watch.is_due(0)
    assert not watch.is_due(1)
    woken = watch.begin()
    watch.report(Change(3, "ord_1", 3, "Confirmed"))
    assert not woken.done()
    watch.report(Change(4, "ord_2", 1, "Placed"))
    assert woken.done()
