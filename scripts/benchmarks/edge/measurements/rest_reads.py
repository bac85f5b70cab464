"""REST through the edge, beside direct gRPC and a gateway in FastAPI, in interleaved turns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

import grpc
from tradepost.order.v1.order_service_pb2 import GetOrderRequest, GetOrderResponse
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.interleaved import AGAIN, figure_of, ratio, turns
from scripts.benchmarks.discovery.load import LoadResult, Send, closed
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow, Target
from scripts.benchmarks.edge.fastapi_gateway import fastapi_gateway
from scripts.benchmarks.edge.http_reader import HttpReader, http_reader
from scripts.benchmarks.edge.measured_edge import MeasuredEdge
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.medians import estimate_median

CALLS = 200
AT_ONCE = 16
ORDER, ITEMS = "/v1/orders/ord_1", "/v1/items"
GRPC, REST, CACHED, FASTAPI = "direct gRPC", "REST", "cached", "FastAPI"
_TIMEOUT_S = 10.0
_HOST = "127.0.0.1"
# The cache says how old an answer is; one that a service has just given has no age.
_FROM_CACHE = "age"


@dataclass(slots=True)
class HttpPool:
    """Kept connections to one server; each read takes a free one."""

    free: asyncio.Queue[HttpReader] = field(default_factory=asyncio.Queue)
    reads: int = 0
    cached: int = 0

    async def get(self, path: str) -> None:
        """Read the path, and count the answers that came from a cache."""
        reader = await self.free.get()
        answer = await reader.get(path)
        self.free.put_nowait(reader)
        self.reads += 1
        self.cached += _FROM_CACHE in answer.headers


@asynccontextmanager
async def http_pool(port: int) -> AsyncIterator[HttpPool]:
    """As many connections as there are calls at once. Raises OSError."""
    async with AsyncExitStack() as stack:
        pool = HttpPool()
        for _ in range(AT_ONCE):
            pool.free.put_nowait(await stack.enter_async_context(http_reader(_HOST, port)))
        yield pool


async def rest_reads(
    bench: DiscoveryBench, edge: MeasuredEdge, *, calls: int = CALLS
) -> Sequence[DiscoveryRow]:
    """Latencies one call at a time, and CPU of the gateways with many at once."""
    measured = MeasurementConditions()
    async with (
        fastapi_gateway(bench.folder / "logs", edge.order_addresses, clock=bench.clock) as gateway,
        http_pool(edge.ports.edge) as rest,
        http_pool(edge.ports.edge) as items,
        http_pool(gateway.port) as fastapi,
        grpc.aio.insecure_channel(edge.order_addresses[0]) as channel,
    ):
        stub = OrderServiceStub(channel)

        async def direct() -> GetOrderResponse:
            return await stub.GetOrder(GetOrderRequest(order_id="ord_1"), timeout=_TIMEOUT_S)

        sends: Mapping[str, Send] = {
            GRPC: direct,
            REST: lambda: rest.get(ORDER),
            CACHED: lambda: items.get(ITEMS),
            FASTAPI: lambda: fastapi.get(ORDER),
        }
        pids = {REST: edge.envoy_pid, FASTAPI: gateway.pid}
        alone = await turns(bench, list(sends), (GRPC,), _taker(bench, sends, {}, calls, 1))
        busy = await turns(
            bench, list(pids), (FASTAPI,), _taker(bench, sends, pids, calls, AT_ONCE)
        )
    conditions = measured.describe(
        window=f"{bench.pairs} rounds of {calls} calls each",
        codes=codes_of({**alone, **{f"{name}, {AT_ONCE}": busy[name] for name in busy}}),
        share_from_cache=items.cached / items.reads,
    )
    return [*_latency_rows(alone, conditions), _cpu_row(busy, conditions)]


def _taker(
    bench: DiscoveryBench,
    sends: Mapping[str, Send],
    pids: Mapping[str, int],
    calls: int,
    concurrency: int,
) -> Callable[[str], Awaitable[LoadResult]]:
    """Takes a turn of a name; its `cpu_s` is that of the process in `pids`, if there is one."""

    async def take(name: str) -> LoadResult:
        pid = pids.get(name)
        before_s = machine.running_s(pid) if pid else 0.0
        turn = await closed(sends[name], calls=calls, concurrency=concurrency, clock=bench.clock)
        if pid:
            turn.cpu_s = machine.running_s(pid) - before_s
        return turn

    return take


def _latency_rows(
    taken: Mapping[str, Sequence[LoadResult]], conditions: dict[str, object]
) -> Sequence[DiscoveryRow]:
    added = [
        _p50_ms(rest) - _p50_ms(direct)
        for rest, direct in zip(taken[REST], taken[GRPC], strict=True)
    ]
    itself = ratio(taken, GRPC + AGAIN, GRPC, _p50_ms)
    rows = [
        DiscoveryRow(
            "p50 of a REST read through the edge minus that of direct gRPC, ms",
            ours=estimate_median(added),
            target=Target(most=1.2),
            conditions=conditions,
        )
    ]
    for name, title, target in (
        (CACHED, "p50 of a cached REST read, ms", Target(most=0.5)),
        (REST, "p50 of a REST read through the edge, by direct gRPC, ms", REPORT),
        (FASTAPI, "p50 of a REST read through FastAPI, by direct gRPC, ms", REPORT),
    ):
        # A cached read isn't answered by a service: only its own time counts.
        is_compared = name != CACHED
        rows.append(
            DiscoveryRow(
                title,
                ours=figure_of(taken, name, _p50_ms),
                target=target,
                baseline=figure_of(taken, GRPC, _p50_ms) if is_compared else None,
                ratio=ratio(taken, name, GRPC, _p50_ms) if is_compared else None,
                conditions={
                    **conditions,
                    **({"baseline_by_itself": itself} if is_compared else {}),
                },
            )
        )
    return rows


def _cpu_row(
    taken: Mapping[str, Sequence[LoadResult]], conditions: dict[str, object]
) -> DiscoveryRow:
    return DiscoveryRow(
        f"REST reads for each CPU second of Envoy, by those of FastAPI, {AT_ONCE} at once",
        ours=figure_of(taken, REST, _calls_per_cpu_s),
        target=Target(least=5.0),
        baseline=figure_of(taken, FASTAPI, _calls_per_cpu_s),
        ratio=ratio(taken, REST, FASTAPI, _calls_per_cpu_s),
        conditions={
            **conditions,
            "baseline_by_itself": ratio(taken, FASTAPI + AGAIN, FASTAPI, _calls_per_cpu_s),
        },
    )


def _p50_ms(turn: LoadResult) -> float:
    return median(turn.latencies_ms)


def _calls_per_cpu_s(turn: LoadResult) -> float:
    return turn.calls / turn.cpu_s
