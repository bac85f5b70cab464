"""Runs the chosen measurements of the edge, one after another, on the same processes."""

from collections.abc import Callable, Sequence

from scripts.benchmarks.discovery.bench import DiscoveryBench
from scripts.benchmarks.discovery.row import DiscoveryRow
from scripts.benchmarks.edge.measured_edge import measured_edge
from scripts.benchmarks.edge.measurements.edge_names import EDGE_MEASUREMENTS

# The default number of interleaved rounds.
ROUNDS = 20


async def run_edge(
    bench: DiscoveryBench,
    names: Sequence[str],
    *,
    began: Callable[[str], None],
    ended: Callable[[Sequence[DiscoveryRow]], None],
) -> Sequence[DiscoveryRow]:
    """Measure; `began` is called with each name, and `ended` with the rows so far.

    Raises StartError, PeerMissingError.
    """
    rows: list[DiscoveryRow] = []
    async with measured_edge(bench.folder, clock=bench.clock, rng=bench.rng) as edge:
        for name in names:
            began(name)
            rows += await EDGE_MEASUREMENTS[name](bench, edge)
            ended(rows)
    return rows
