"""The cost of a call: processor time of the client next to native stacks and without TLS, latency
next to a proxy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median

from scripts.benchmarks.discovery import stacks
from scripts.benchmarks.discovery.backends import contract, fleet
from scripts.benchmarks.discovery.backends.envoy import hop
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.interleaved import AGAIN, figure_of, ratio, turns
from scripts.benchmarks.discovery.load import LoadResult, closed
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow, Target
from scripts.benchmarks.discovery.stacks import ENVOY, OURS, StackClient

DEADLINE_S = 10.0
CALLS = 160
HOP_CALLS = 50
_TARGETS = {stacks.ROUND_ROBIN: Target(most=1.05), stacks.INTERCEPTORS: Target(most=0.97)}
_HOP_TARGET = Target(most=0.67)
PLAINTEXT = "plaintext"
_TLS_CHARACTERS = 300
_TLS_TARGET = Target(most=1.15)


def cpu_us(turn: LoadResult) -> float:
    """Processor time of the client's process for each call."""
    return 1e6 * turn.cpu_s / turn.calls


def p50_ms(turn: LoadResult) -> float:
    """The median latency of one turn."""
    return median(turn.latencies_ms)


async def cpu(
    bench: DiscoveryBench, *, concurrency: int, calls: int = CALLS
) -> Sequence[DiscoveryRow]:
    """Processor time for each unary call, compared with every native stack."""
    measured = MeasurementConditions()
    names = (OURS, *stacks.NATIVE)
    async with (
        fleet.running(bench.folder / "cpu") as running,
        stacks.opened(running, names) as clients,
    ):
        taken = await turns(
            bench,
            names,
            stacks.NATIVE,
            lambda name: _turn(bench, clients[name], calls=calls, concurrency=concurrency),
        )
    return [
        _row(
            taken,
            f"client CPU per unary call, us, {concurrency} at once, by {name}",
            name,
            cpu_us,
            target=_TARGETS.get(name, REPORT),
            conditions=measured.describe(
                unit="us of processor time for each call",
                concurrency=concurrency,
                rate="as fast as they are answered",
                deadline_s=DEADLINE_S,
                window=f"{bench.pairs} pairs of {calls} calls",
                codes=codes_of(taken),
                instances=fleet.INSTANCES,
            ),
        )
        for name in stacks.NATIVE
    ]


async def mutual_tls(
    bench: DiscoveryBench, *, concurrencies: Sequence[int] = (16, 1), calls: int = CALLS
) -> Sequence[DiscoveryRow]:
    """Processor time for each call with mutual TLS, compared with plaintext; both through ours."""
    async with (
        fleet.running(bench.folder / "mtls", secure=True) as secure,
        fleet.running(bench.folder / PLAINTEXT) as plain,
        stacks.opened(secure, (OURS,)) as with_certificates,
        stacks.opened(plain, (OURS,)) as without,
    ):
        request = contract.request_of(OURS, _TLS_CHARACTERS)
        clients = {
            OURS: replace(with_certificates[OURS], request=request),
            PLAINTEXT: replace(without[OURS], request=request),
        }
        return [
            await _mutual_tls(bench, clients, calls=calls, concurrency=concurrency)
            for concurrency in concurrencies
        ]


async def _mutual_tls(
    bench: DiscoveryBench, clients: Mapping[str, StackClient], *, calls: int, concurrency: int
) -> DiscoveryRow:
    measured = MeasurementConditions()
    taken = await turns(
        bench,
        tuple(clients),
        (PLAINTEXT,),
        lambda name: _turn(bench, clients[name], calls=calls, concurrency=concurrency),
    )
    return _row(
        taken,
        f"client CPU per unary call with mutual TLS, us, {concurrency} at once, by {PLAINTEXT}",
        PLAINTEXT,
        cpu_us,
        target=_TLS_TARGET,
        conditions=measured.describe(
            unit="us of processor time for each call",
            characters=_TLS_CHARACTERS,
            concurrency=concurrency,
            rate="as fast as they are answered",
            deadline_s=DEADLINE_S,
            window=f"{bench.pairs} pairs of {calls} calls",
            codes=codes_of(taken),
            instances=fleet.INSTANCES,
        ),
    )


async def latency(bench: DiscoveryBench, *, concurrency: int = 1) -> Sequence[DiscoveryRow]:
    """The median latency of a call, compared with the same call through an Envoy."""
    measured = MeasurementConditions()
    names = (OURS, ENVOY, stacks.ROUND_ROBIN)
    async with (
        fleet.running(bench.folder / "hop") as running,
        hop(bench.folder / "envoy", running.ports) as address,
        stacks.opened(running, names, envoy=address) as clients,
    ):
        taken = await turns(
            bench,
            names,
            names[1:],
            lambda name: _turn(bench, clients[name], calls=HOP_CALLS, concurrency=concurrency),
        )
    make = partial(
        measured.describe,
        unit="ms, the median of a turn",
        concurrency=concurrency,
        rate="as fast as they are answered",
        deadline_s=DEADLINE_S,
        window=f"{bench.pairs} pairs of {HOP_CALLS} calls",
        codes=codes_of(taken),
        instances=fleet.INSTANCES,
    )
    return [
        _row(
            taken,
            "p50 latency, ms, by one Envoy hop",
            ENVOY,
            p50_ms,
            target=_HOP_TARGET,
            conditions=make(),
        ),
        _row(
            taken,
            "p50 latency, ms, by round_robin",
            stacks.ROUND_ROBIN,
            p50_ms,
            target=REPORT,
            conditions=make(),
        ),
    ]


async def _turn(
    bench: DiscoveryBench, client: StackClient, *, calls: int, concurrency: int
) -> LoadResult:
    return await closed(
        lambda: client.call(DEADLINE_S), calls=calls, concurrency=concurrency, clock=bench.clock
    )


def _row(
    taken: Mapping[str, Sequence[LoadResult]],
    name: str,
    baseline: str,
    figure: Callable[[LoadResult], float],
    *,
    target: Target,
    conditions: dict[str, object],
) -> DiscoveryRow:
    return DiscoveryRow(
        name,
        ours=figure_of(taken, OURS, figure),
        target=target,
        baseline=figure_of(taken, baseline, figure),
        ratio=ratio(taken, OURS, baseline, figure),
        conditions={
            **conditions,
            "baseline_by_itself": ratio(taken, f"{baseline}{AGAIN}", baseline, figure),
        },
    )
