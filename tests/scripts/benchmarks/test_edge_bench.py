"""`./scripts/bench edge` with few calls: what it measures, never how fast it is."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from discovery.clock import SystemClock
from scripts.benchmarks.discovery.bench import DiscoveryBench
from scripts.benchmarks.discovery.load import OK, LoadResult
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow, Target
from scripts.benchmarks.edge.edge_rows import row_of_way, tables_of
from scripts.benchmarks.edge.http_reader import http_reader
from scripts.benchmarks.edge.measured_edge import INSTANCES, MeasuredEdge, measured_edge
from scripts.benchmarks.edge.measurements.call_costs import FIGURES, call_costs
from scripts.benchmarks.edge.measurements.departures import Departure, drain, kill
from scripts.benchmarks.edge.measurements.edge_names import EDGE_MEASUREMENTS
from scripts.benchmarks.edge.measurements.footprint import footprint
from scripts.benchmarks.edge.measurements.registry_changes import registry_changes
from scripts.benchmarks.edge.measurements.rest_reads import rest_reads
from scripts.benchmarks.edge.ways import CLIENT, DNS_A, ENVOY, WAYS
from scripts.benchmarks.shared.medians import MedianEstimate
from scripts.suite.run_folder import StartError
from scripts.tools.paths import ROOT

CLOCK = SystemClock()
REST_TARGETS = ["<= 1.2", "<= 0.5", "report", "report", ">= 5"]
ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


def bench(folder: Path) -> DiscoveryBench:
    """The shortest run."""
    return DiscoveryBench(folder, CLOCK, random.Random(1), pairs=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edge")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(folder: Path) -> AsyncIterator[MeasuredEdge]:
    async with measured_edge(folder, clock=CLOCK, rng=random.Random(1)) as running:
        yield running


async def test_a_row_can_be_chosen(tmp_path: Path) -> None:
    """The command measures the rows that it is given, writes them, and refuses an unknown one."""
    file = tmp_path / "figures.json"

    async def run(row: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.benchmarks", "edge", f"--row={row}"),
            *("--rounds=1", f"--json={file}", f"--folder={tmp_path / row}"),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    (status, output), (unknown, refusal) = await asyncio.gather(run("rest"), run("luck"))

    assert status == 0, output
    rows = json.loads(file.read_text())
    assert [row["target"] for row in rows] == REST_TARGETS
    assert all(f"| {row['name']} |" in output for row in rows)
    assert unknown != 0
    assert "no row luck" in refusal
    assert "rest" in EDGE_MEASUREMENTS


@ONE_LOOP
async def test_every_way_reaches_every_instance(edge: MeasuredEdge) -> None:
    """A new channel of each way gets answers from all instances, and its calls succeed."""
    for client in edge.clients.values():
        await client.open()
        load = await client.closed(calls=2 * INSTANCES, concurrency=2)
        assert load.codes == {OK: 2 * INSTANCES}

    assert set(edge.clients) == set(WAYS)
    assert len(edge.order_addresses) == INSTANCES


@ONE_LOOP
async def test_costs_are_those_of_client_and_proxy(edge: MeasuredEdge, folder: Path) -> None:
    """Each way has its latencies and CPU, the client side is compared with itself."""
    rows = await call_costs(bench(folder), edge, calls=3)

    assert len(rows) == len(FIGURES) * len(WAYS)
    assert {row.conditions["way"] for row in rows} == set(WAYS)
    assert all(row.ours.median > 0 for row in rows if isinstance(row.ours, MedianEstimate))
    assert set(rows[0].conditions["codes"]) == {*WAYS, f"{CLIENT} again"}


@ONE_LOOP
@pytest.mark.parametrize("departure", [kill, drain])
async def test_an_instance_departs_under_load(
    edge: MeasuredEdge, folder: Path, departure: Callable[..., Any]
) -> None:
    """All ways call while an instance goes, and afterwards a new process has its place."""
    before = [slot.process for slot in edge.orders]
    rows = await departure(bench(folder), edge, times=1)

    failed = [row for row in rows if "failed calls" in row.name]
    assert [row.conditions["way"] for row in failed] == list(WAYS)
    assert all(row.conditions["codes"][way][OK] > 0 for row in failed for way in WAYS)
    assert sum(now.process is not then for now, then in zip(edge.orders, before, strict=True)) == 1


@ONE_LOOP
async def test_changes_are_seen_in_envoys_own_list(edge: MeasuredEdge, folder: Path) -> None:
    """An instance that comes and goes in Consul comes and goes in Envoy."""
    typical, slowest = await registry_changes(bench(folder), edge, changes=2)

    assert len(typical.conditions["took_s"]) == 2
    assert slowest.ours == max(typical.conditions["took_s"])
    async with http_reader("127.0.0.1", edge.ports.admin) as admin:
        listed = (await admin.get("/clusters")).body
    assert b"notification::127.0.0.101:9::" in listed
    assert b"notification::127.0.0.102:9::" not in listed


@ONE_LOOP
async def test_rest_is_measured_beside_grpc_and_fastapi(edge: MeasuredEdge, folder: Path) -> None:
    """All of them answer, and cached reads come from the cache."""
    rows = await rest_reads(bench(folder), edge, calls=16)

    assert [str(row.target) for row in rows] == REST_TARGETS
    assert rows[-1].ratio is not None
    assert rows[0].conditions["share_from_cache"] > 0.5
    assert all(set(codes) == {OK} for codes in rows[0].conditions["codes"].values())


@ONE_LOOP
async def test_memory_is_that_of_both_processes(edge: MeasuredEdge, folder: Path) -> None:
    """Envoy and the control plane are two processes, whose memory is added."""
    rows = await footprint(bench(folder), edge, calls=16)

    assert len(rows) == 4
    for row in rows:
        both = [row.conditions["Envoy"], row.conditions["control plane"]]
        assert row.ours == pytest.approx(sum(both))
        assert min(both) > 0


@ONE_LOOP
async def test_an_answer_that_is_no_success_is_no_figure(edge: MeasuredEdge) -> None:
    """A refused read ends the run rather than being counted as a quick one."""
    async with http_reader("127.0.0.1", edge.ports.edge) as reader:
        with pytest.raises(StartError, match="404"):
            await reader.get("/nothing")


def test_a_departure_ends_with_the_last_failed_call() -> None:
    """Calls fail until the end of the last one that failed; one from before doesn't count."""
    ended = [(9.0, 0.1, "UNAVAILABLE"), (10.5, 0.2, "UNAVAILABLE"), (11.0, 0.1, OK)]
    turns = {ENVOY: LoadResult(ended=ended), DNS_A: LoadResult(ended=ended[:1])}
    found = Departure(10.0, turns)

    assert found.failing_s(ENVOY) == pytest.approx(0.7)
    assert found.failing_s(DNS_A) == 0


def test_tables_are_those_of_the_documents() -> None:
    """The ways are columns of one table, other rows lines of a second one, and misses are told."""
    estimate = MedianEstimate(1.25, 1.0, 123.4, 0.95)
    rows = [
        *(row_of_way("p50, ms", way, estimate, REPORT, {}, ratio=1.0) for way in WAYS),
        *(row_of_way("failed", way, 2, Target(most=0), {}) for way in WAYS),
        DiscoveryRow("memory, MB", ours=175.2, target=Target(most=130)),
        DiscoveryRow("reads", ours=9.0, baseline=2.0, ratio=4.5, target=Target(least=5)),
    ]
    ways, others = tables_of(rows).split("\n\n")

    assert ways.splitlines()[2:] == [
        "| p50, ms |" + " 1.25 (1-123) |" * 5 + " report |",
        "| by the client side's |" + " 1 |" * 5 + " report |",
        "| failed |" + " 2 |" * 5 + " ≤ 0, missed |",
    ]
    assert others.splitlines()[2:] == [
        "| memory, MB | 175 |  |  |  | ≤ 130, missed |",
        "| reads | 9 | 2 | 4.5 |  | ≥ 5, missed |",
    ]
