"""`./scripts/bench checkout` with a few orders: what it counts, never how fast it is."""

import asyncio
import json
import os
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.benchmarks.floor import floor_cluster
from scripts.benchmarks.shared.contender import Contender
from scripts.benchmarks.shared.demand import read_demand
from scripts.tools.paths import ROOT

ORDERS = 4
SERVICES = {"order", "inventory", "payment", "total", "caller"}
STEPS = ("Reserve", "Authorize", "Commit", "Capture")
ASKED = [f"{call} {part}" for call in ("Authorize", "Capture") for part in ("intended", "seen")]


def entries(folder: Path, store: str) -> Counter[str]:
    """The number of commits of each kind in a store of the floor."""
    return Counter(
        kind for (kind,) in _rows(folder / "data" / f"{store}.db", "SELECT kind FROM entry")
    )


def server_entries(url: str) -> Counter[str]:
    """The number of commits of each kind in a database of the floor."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT kind FROM entry").fetchall()
    return Counter(kind for (kind,) in found)


def events(folder: Path, service: str) -> Counter[str]:
    """The number of events of each type in the log of a service."""
    rows = _rows(folder / "data" / f"{service}.db", "SELECT type FROM event")
    return Counter(kind.rpartition(".")[2] for (kind,) in rows)


@asynccontextmanager
async def running_floor(folder: Path) -> AsyncIterator[Contender]:
    """The floor on `folder`; its processes are killed at the end."""
    async with (
        floor_cluster.running(folder) as processes,
        floor_cluster.as_contender(processes) as floor,
    ):
        yield floor


async def test_the_floor_makes_the_calls_and_commits_of_a_checkout(tmp_path: Path) -> None:
    """The floor makes five calls and 5 + 2 + 4 + 2 commits for an order, on real sockets and
    files.
    """
    requests = read_demand().requests(ORDERS, random.Random(1))
    async with running_floor(tmp_path) as floor:
        instances = {name: len(pids) for name, pids in floor.processes.items()}
        await asyncio.gather(*(floor.place(request) for request in requests))

    assert instances == {"order": 2, "inventory": 2, "payment": 2, "caller": 1}
    assert entries(tmp_path, "order") == dict.fromkeys(("Create", *STEPS), ORDERS)
    assert entries(tmp_path, "inventory") == dict.fromkeys(("Reserve", "Commit"), ORDERS)
    assert entries(tmp_path, "payment") == dict.fromkeys(ASKED, ORDERS)
    assert entries(tmp_path, "processor") == dict.fromkeys(("Authorize", "Capture"), ORDERS)


async def test_what_the_floor_acknowledges_is_on_disk(tmp_path: Path) -> None:
    """Every commit that was acknowledged survives a kill of the processes."""
    (request,) = read_demand().requests(1, random.Random(2))
    async with running_floor(tmp_path) as floor:
        await floor.place(request)

    rows = _rows(tmp_path / "data" / "order.db", "SELECT payload FROM entry")
    assert rows == [(request.SerializeToString(),)] * 5


async def test_the_floor_makes_the_same_commits_on_a_server(tmp_path: Path) -> None:
    """The floor makes the same commits on PostgreSQL as in files; its processor keeps its file."""
    requests = read_demand().requests(ORDERS, random.Random(4))
    async with floor_cluster.running(tmp_path, postgres=True) as processes:
        async with floor_cluster.as_contender(processes) as floor:
            assert set(floor.processes) == {"order", "inventory", "payment", "postgres", "caller"}
            await asyncio.gather(*(floor.place(request) for request in requests))
        kinds = {service: server_entries(url) for service, url in processes.urls.items()}

    assert kinds["order"] == dict.fromkeys(("Create", *STEPS), ORDERS)
    assert kinds["inventory"] == dict.fromkeys(("Reserve", "Commit"), ORDERS)
    assert kinds["payment"] == dict.fromkeys(ASKED, ORDERS)
    assert entries(tmp_path, "processor") == dict.fromkeys(("Authorize", "Capture"), ORDERS)


async def test_a_small_benchmark(tmp_path: Path) -> None:
    """A run writes every figure, and the suite and the floor have handled all orders."""
    file = tmp_path / "figures.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.benchmarks", "checkout", f"--orders={ORDERS}"),
        *("--against=floor", "--database=sqlite", "--rounds=1", "--concurrency=3"),
        *(f"--json={file}", f"--folder={tmp_path}"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    figures = json.loads(file.read_text())

    row, statements = figures
    assert row["name"] == "of the floor on sqlite, 3 at once"
    assert row["ok"] == (row["ratio"] >= row["target"])
    assert row["conditions"]["ratio"]["median"] == row["ratio"]
    assert row["conditions"]["baseline_ratio"]["median"] > 0
    assert row["conditions"]["cores"] == len(os.sched_getaffinity(0))
    for side in ("ours", "baseline"):
        assert row[side] > 0
        assert_side(row["conditions"][side], SERVICES)
    assert "write" in row["conditions"]["ours"]["thread_ms_per_order"]["order"]
    assert statements["name"] == "statements an order: suite on sqlite, 3 at once"
    stores = statements["conditions"]["stores"]
    assert list(stores) == ["inventory", "order", "payment", "processor"]
    assert statements["ours"] == pytest.approx(sum(one["statements"] for one in stores.values()))
    for store in stores.values():
        assert store["statements"] >= store["statements_in_commits"] > store["commits"] > 0
        assert store["round_trips"] is None
    # A quarter of a turn is for warm-up. Then the suite's statements are counted in a turn of its
    # own, after another one.
    orders = 1 + ORDERS + 2 * ORDERS
    assert sum(events(tmp_path / "suite-sqlite-0", "order").values()) == 5 * orders
    assert sum(entries(tmp_path / "floor-sqlite", "order").values()) == 5 * (1 + 2 * ORDERS)


def test_both_halves_get_real_orders() -> None:
    """Both contenders get the same real baskets, each time with a new request_id."""
    demand = read_demand()
    baskets = len(demand.baskets)
    requests = demand.requests(2 * baskets, random.Random(3))

    assert 7 <= sum(len(request.lines) for request in requests) / len(requests) <= 12
    assert len({request.request_id for request in requests}) == len(requests)
    assert [r.lines for r in requests[:baskets]] == [r.lines for r in requests[baskets:]]
    assert {line.sku for request in requests for line in request.lines} == set(demand.units)


def assert_side(side: dict[str, Any], services: set[str]) -> None:
    assert side["orders_per_s"]["low"] <= side["orders_per_s"]["median"]
    assert 0 < side["latency_ms"]["50"] <= side["latency_ms"]["95"] <= side["latency_ms"]["99"]
    assert set(side["cpu_ms_per_order"]) == services
    assert side["idle_cores"] >= 0


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()
