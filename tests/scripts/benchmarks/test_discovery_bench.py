"""`./scripts/bench discovery` with a few calls: what it counts, never how fast it is."""

import asyncio
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import grpc
import pytest

from discovery.clock import SystemClock
from scripts.benchmarks.discovery import bench as measuring
from scripts.benchmarks.discovery import stacks
from scripts.benchmarks.discovery.backends import contract, fleet
from scripts.benchmarks.discovery.backends.server import Behavior, EchoServicer
from scripts.benchmarks.discovery.measurements import costs, failing
from scripts.benchmarks.discovery.measurements.by_name import MEASUREMENTS
from scripts.tools.paths import ROOT

STACKS = (stacks.OURS, *stacks.NATIVE)
TIMEOUT_S = 60.0


def bench(folder: Path) -> measuring.DiscoveryBench:
    """The shortest run."""
    return measuring.DiscoveryBench(folder, SystemClock(), random.Random(1), pairs=1)


async def test_all_stacks_call_the_same_instances(tmp_path: Path) -> None:
    """All stacks call the same servers, which count their calls by stack and fail when instructed.

    A native service config that C-core doesn't understand would fail the first call.
    """
    async with fleet.running(tmp_path) as running, stacks.opened(running, STACKS) as clients:
        for client in clients.values():
            for _ in range(4):
                assert await client.call(TIMEOUT_S) == client.request
        counted = {name: await running.attempts(name) for name in STACKS}
        await running.behave(Behavior(failing=1.0))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await clients[stacks.BARE].call(TIMEOUT_S)

    assert counted == dict.fromkeys(STACKS, 4)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


class Trailers:
    """Records the trailers of a servicer; C-core shows load reports only to its policies."""

    def __init__(self) -> None:
        self.sent: dict[str, bytes] = {}

    def set_trailing_metadata(self, metadata: Iterable[tuple[str, bytes]]) -> None:
        self.sent |= dict(metadata)


@pytest.mark.parametrize("stack", STACKS)
async def test_load_reports_go_to_who_asks_for_them(stack: str) -> None:
    """Only the stack with weighted_round_robin gets load reports in its trailers (gRFC A51)."""
    trailers = Trailers()
    servicer = EchoServicer(clock=SystemClock(), rng=random.Random(1))

    await servicer.answer(contract.request_of(stack), trailers)

    assert ("endpoint-load-metrics-bin" in trailers.sent) is (stack == stacks.FULL)


async def test_a_comparison_of_costs_states_its_conditions(tmp_path: Path) -> None:
    """Each native stack has a row, with its second turn and the status codes as conditions."""
    rows = await costs.cpu(bench(tmp_path), concurrency=2, calls=4)

    assert len(rows) == len(stacks.NATIVE)
    for row in rows:
        result = row.as_json()
        assert result["ratio"]["median"] > 0
        assert result["conditions"]["baseline_by_itself"]["median"] > 0
        assert result["conditions"]["concurrency"] == 2
        assert result["conditions"]["deadline_s"] == costs.DEADLINE_S
        assert set(result["conditions"]["codes"]["ours"]) == {"OK"}
    assert {str(row.target) for row in rows} == {"<= 1.05", "<= 0.97", "report"}


async def test_mutual_tls_is_compared_with_plaintext(tmp_path: Path) -> None:
    """Secure instances answer calls with certificates, at each concurrency beside plain ones."""
    rows = await costs.mutual_tls(bench(tmp_path), concurrencies=(2, 1), calls=4)

    assert [row.conditions["concurrency"] for row in rows] == [2, 1]
    for row in rows:
        assert str(row.target) == "<= 1.15"
        assert row.conditions["codes"] == {
            "ours": {"OK": 4},
            "plaintext": {"OK": 4},
            "plaintext again": {"OK": 4},
        }


async def test_secure_instances_answer_nobody_without_a_certificate(tmp_path: Path) -> None:
    """A plaintext channel gets no answer, so what is measured as mutual TLS is that."""
    async with (
        fleet.running(tmp_path, instances=1, secure=True) as running,
        stacks.opened(running, (stacks.OURS,)) as clients,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.ports[0]}") as plain,
    ):
        assert await clients[stacks.OURS].call(TIMEOUT_S) == clients[stacks.OURS].request
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await contract.stub(plain)(clients[stacks.OURS].request, timeout=TIMEOUT_S)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_storm_is_counted_where_it_arrives(tmp_path: Path) -> None:
    """In an outage a native retryPolicy makes three attempts for a call; ours makes fewer."""
    (row,) = await failing.retry_storm(bench(tmp_path), window_s=0.5)

    assert row.baseline == 3.0
    assert isinstance(row.ours, float)
    assert row.ours < 3.0
    assert set(row.conditions["codes"][stacks.RETRY]) == {"UNAVAILABLE"}


async def test_a_row_can_be_measured_by_itself(tmp_path: Path) -> None:
    """The command measures a row by its name, and refuses an unknown name."""
    file = tmp_path / "figures.json"

    async def run(row: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.benchmarks", "discovery", f"--row={row}"),
            *("--pairs=2", f"--json={file}", f"--folder={tmp_path}"),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    (status, output), (unknown, refusal) = await asyncio.gather(run("pick"), run("luck"))

    assert status == 0, output
    assert [row["target"] for row in json.loads(file.read_text())][:3] == ["<= 3"] * 3
    assert unknown != 0
    assert "no row luck" in refusal
    assert "pick" in MEASUREMENTS
