"""The memory of Envoy and the control plane, after their start and after many calls."""

from collections.abc import Sequence

from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions
from scripts.benchmarks.discovery.row import DiscoveryRow, Target
from scripts.benchmarks.edge.measured_edge import MeasuredEdge
from scripts.benchmarks.edge.ways import ENVOY
from scripts.benchmarks.shared import machine

CALLS = 10_000
CONCURRENCY = 16
_TARGET = Target(most=130.0)
_MB_IN_KIB = 1e6 / 1024


async def footprint(
    _bench: DiscoveryBench, edge: MeasuredEdge, *, calls: int = CALLS
) -> Sequence[DiscoveryRow]:
    """Resident memory, and what is left of it when shared pages are divided (PSS)."""
    measured = MeasurementConditions()
    rows = _rows("after the start", edge, measured)
    await edge.clients[ENVOY].closed(calls=calls, concurrency=CONCURRENCY)
    return [*rows, *_rows(f"after {calls:,} calls", edge, measured)]


def _rows(when: str, edge: MeasuredEdge, measured: MeasurementConditions) -> Sequence[DiscoveryRow]:
    kib = {
        "Envoy": machine.memory_kib(edge.envoy_pid),
        "control plane": machine.memory_kib(edge.control_plane_pid),
    }
    return [
        DiscoveryRow(
            f"{kind} memory of Envoy and control plane {when}, MB",
            ours=sum(both[place] for both in kib.values()) / _MB_IN_KIB,
            target=_TARGET,
            conditions=measured.describe(
                **{name: both[place] / _MB_IN_KIB for name, both in kib.items()}
            ),
        )
        for place, kind in enumerate(("resident", "proportional (PSS)"))
    ]
