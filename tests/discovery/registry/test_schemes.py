"""Each scheme of a target has its watcher."""

import random

from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.dns import DnsWatcher
from discovery.registry.memory import memory_registry
from discovery.registry.schemes import watcher_for
from discovery.registry.static import StaticWatcher
from discovery.registry.target import parse_target
from tests.support.clock.manual_clock import ManualClock


def test_each_scheme_has_its_watcher() -> None:
    """The scheme decides which watcher is built; nothing is opened yet."""
    clock, rng = ManualClock(), random.Random(1)
    for text, kind in [
        ("consul:///order", ConsulRegistry),
        ("static:///10.0.0.1:50051", StaticWatcher),
        ("dns:///localhost:50051", DnsWatcher),
        ("dns://127.0.0.1:53/localhost", DnsWatcher),
        ("unix:///run/order.sock", StaticWatcher),
        ("unix-abstract:order", StaticWatcher),
    ]:
        assert isinstance(watcher_for(parse_target(text), clock=clock, rng=rng), kind)
    in_memory = watcher_for(parse_target("memory://north/order"), clock=clock, rng=rng)
    assert in_memory is memory_registry("north")
