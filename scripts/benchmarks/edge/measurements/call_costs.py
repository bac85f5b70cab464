"""What a small read costs by each way to find an instance: latency, and CPU of client and proxy."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.interleaved import AGAIN, figure_of, ratio, turns
from scripts.benchmarks.discovery.load import LoadResult
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow
from scripts.benchmarks.edge.edge_rows import row_of_way
from scripts.benchmarks.edge.measured_edge import INSTANCES, MeasuredEdge
from scripts.benchmarks.edge.ways import CLIENT, WAYS
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.medians import percentile

CALLS = 200


FIGURES: Mapping[str, Callable[[LoadResult], float]] = {
    "p50 of a read, ms": lambda turn: median(turn.latencies_ms),
    "p99 of a read, ms": lambda turn: percentile(turn.latencies_ms, 99),
    "CPU of client and proxy for each read, us": lambda turn: 1e6 * turn.cpu_s / turn.calls,
}


async def call_costs(
    bench: DiscoveryBench, edge: MeasuredEdge, *, calls: int = CALLS
) -> Sequence[DiscoveryRow]:
    """All ways in interleaved turns, one call at a time; the baseline is the client side."""
    measured = MeasurementConditions()

    async def take(way: str) -> LoadResult:
        envoy_s = machine.running_s(edge.envoy_pid)
        turn = await edge.clients[way].closed(calls=calls, concurrency=1)
        turn.cpu_s += machine.running_s(edge.envoy_pid) - envoy_s
        return turn

    taken = await turns(bench, WAYS, (CLIENT,), take)
    conditions = measured.describe(
        concurrency=1,
        rate="as fast as they are answered",
        window=f"{bench.pairs} rounds of {calls} calls each",
        codes=codes_of(taken),
        instances=INSTANCES,
    )
    return [
        row_of_way(
            measure,
            way,
            figure_of(taken, way, figure),
            REPORT,
            conditions,
            baseline=figure_of(taken, CLIENT, figure),
            # The client side is compared with itself.
            ratio=ratio(taken, way if way != CLIENT else CLIENT + AGAIN, CLIENT, figure),
        )
        for measure, figure in FIGURES.items()
        for way in WAYS
    ]
