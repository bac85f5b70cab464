"""How long Envoy takes to follow Consul: from a registration or its end to Envoy's own list."""

import asyncio
from collections.abc import Sequence

from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions
from scripts.benchmarks.discovery.row import DiscoveryRow, Target
from scripts.benchmarks.edge.http_reader import HttpReader, http_reader
from scripts.benchmarks.edge.measured_edge import MeasuredEdge
from scripts.benchmarks.shared.medians import estimate_median

CHANGES = 16
# A watch asks Consul once a second in the long run, so changes that follow faster wait for others.
_PAUSE_S = (1.5, 2.5)
_POLL_S = 0.002
_GIVE_UP_S = 20.0
_TARGET = Target(most=0.2)
# Nobody calls this service here, so its instances need no server; the agent checks none of them.
_SERVICE = "notification"
_NEVER = CheckSettings(interval_s=3_600.0)


async def registry_changes(
    bench: DiscoveryBench, edge: MeasuredEdge, *, changes: int = CHANGES
) -> Sequence[DiscoveryRow]:
    """Instances that come and go in turn. The time includes Consul's own, and that of the poll."""
    measured = MeasurementConditions()
    agent = edge.suite.consul.address
    registry = ConsulRegistry(agent, clock=bench.clock, rng=bench.rng, check=_NEVER)
    try:
        async with http_reader("127.0.0.1", edge.ports.admin) as admin:
            took_s = await _changes(bench, registry, admin, changes)
    finally:
        await registry.close()
    conditions = measured.describe(window=f"{changes} changes", took_s=took_s)
    return [
        DiscoveryRow(
            "a change in Consul until Envoy has it, s",
            ours=estimate_median(took_s),
            target=_TARGET,
            conditions=conditions,
        ),
        DiscoveryRow(
            f"the slowest of {changes} such changes, s",
            ours=max(took_s),
            target=_TARGET,
            conditions=conditions,
        ),
    ]


async def _changes(
    bench: DiscoveryBench, registry: ConsulRegistry, admin: HttpReader, changes: int
) -> Sequence[float]:
    """The seconds that each change took."""
    # The last instance of a service would stay in Envoy.
    staying, coming = _instance(1), _instance(2)
    await registry.register(staying)
    await _until(bench, admin, staying, listed=True)
    took_s = []
    for number in range(changes):
        await bench.clock.sleep(bench.rng.uniform(*_PAUSE_S))
        comes = number % 2 == 0
        began_s = bench.clock.monotonic()
        await (registry.register if comes else registry.deregister)(coming)
        await _until(bench, admin, coming, listed=comes)
        took_s.append(bench.clock.monotonic() - began_s)
    return took_s


def _instance(number: int) -> Instance:
    return Instance(f"late-{number}", _SERVICE, f"127.0.0.{100 + number}", 9, incarnation="1")


async def _until(
    bench: DiscoveryBench, admin: HttpReader, instance: Instance, *, listed: bool
) -> None:
    """Return once Envoy lists the instance, or no longer does. Raises TimeoutError."""
    entry = f"{_SERVICE}::{instance.endpoint}::".encode()
    async with asyncio.timeout(_GIVE_UP_S):
        while (entry in (await admin.get("/clusters")).body) is not listed:
            await bench.clock.sleep(_POLL_S)
