"""`./scripts/run` itself: real baskets, a real Consul agent, and the books at the end."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from scripts.tools.paths import ROOT

# At least the summary's consumers of orders and payments, and the notification service's.
CONSUMERS_MIN = 3

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def replay(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripts.replay",
        *options,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.parametrize("databases", [(), ("--postgres",)], ids=["sqlite", "postgresql"])
async def test_a_replay_of_real_baskets_balances_its_books(
    tmp_path: Path, databases: tuple[str, ...]
) -> None:
    """Every order is settled, every kind of outcome occurs, and every equation holds."""
    figures = tmp_path / "figures.json"
    process = await replay("--baskets=150", f"--json={figures}", f"--folder={tmp_path}", *databases)
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    report = json.loads(figures.read_text())
    assert report["orders"] == sum(report["outcomes"].values())
    assert {"CONFIRMED", "FULFILLED", "REJECTED", "REFUNDED"} <= set(report["outcomes"])
    assert len(report["books"]) >= 20
    assert [line for line in report["books"] if not line["ok"]] == []


async def test_a_replay_survives_everything_at_once(tmp_path: Path) -> None:
    """With all faults at once, no call fails and the books balance."""
    figures = tmp_path / "figures.json"
    process = await replay(
        *("--kill", "--kill-consul", "--drain", "--rewind", "--baskets=80", "--concurrency=16"),
        *(f"--json={figures}", f"--folder={tmp_path}"),
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    report = json.loads(figures.read_text())
    rewound = report["faults"].pop("rewind")
    assert report["faults"] == {"kill": 8, "consul": 2, "drain": 8}
    # Twice while orders are placed, and once when the suite is idle.
    assert rewound >= 3 * CONSUMERS_MIN
    assert report["failed_calls"] == {}
    assert report["reads"] > 0
    assert report["orders"] == sum(report["outcomes"].values()) == 80
    assert [line for line in report["books"] if not line["ok"]] == []


async def test_an_interrupted_replay_leaves_nothing_running(tmp_path: Path) -> None:
    """Ctrl-C during `--stay` ends every process that the replay started."""
    process = await replay("--baskets=1", "--stay", "--postgres", f"--folder={tmp_path}")
    assert process.stdout is not None
    async for line in process.stdout:
        if b"still serving" in line:
            break

    process.send_signal(signal.SIGINT)
    await process.communicate()

    assert process.returncode == 130
    assert [name for name in _commands() if str(tmp_path) in name] == []


def _commands() -> list[str]:
    """The environment and command line of every process that we may read."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found.append((folder / "environ").read_text() + (folder / "cmdline").read_text())
            except (OSError, UnicodeDecodeError):
                continue
    return found
