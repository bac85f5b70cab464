"""`./scripts/run` itself: real baskets, a real Consul agent, and the books at the end."""

import asyncio
import contextlib
import json
import os
import re
import signal
from pathlib import Path

import pytest

from scripts.suite.run_folder import StartError, expect_free
from tests.support.suite.replay_program import interrupt, read_until, replay

# At least the summary's consumers of orders and payments, and the notification service's.
CONSUMERS_MIN = 3

# Apart from the ports that the system gives away, and from those of `free_ports`.
FIRST_PORT, END_PORT = 10_000, 20_000

pytestmark = pytest.mark.asyncio(loop_scope="session")


def free_range(number: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(FIRST_PORT + os.getpid() % 8_000, END_PORT - number, number):
        with contextlib.suppress(StartError):
            expect_free(first, number)
            return first
    pytest.fail("there are no free ports")


@pytest.mark.parametrize("databases", [(), ("--postgres",)], ids=["sqlite", "postgresql"])
async def test_a_replay_of_real_baskets_balances_its_books(
    tmp_path: Path, databases: tuple[str, ...]
) -> None:
    """Every order is settled, every kind of outcome occurs, and every equation holds."""
    figures = tmp_path / "figures.json"
    # A seed with which several customers return everything they bought.
    plan = ("--baskets=150", "--seed=316")
    process = await replay(*plan, f"--json={figures}", f"--folder={tmp_path}", *databases)
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    report = json.loads(figures.read_text())
    assert report["orders"] == sum(report["outcomes"].values())
    occurring = {"CONFIRMED", "FULFILLED", "REJECTED", "REFUNDED", "RETURNED"}
    assert occurring <= set(report["outcomes"])
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
    for broken in ("killed order-", "killed Consul", "draining inventory-1", "rewound"):
        assert broken in output.decode()
    report = json.loads(figures.read_text())
    rewound = report["faults"].pop("rewind")
    assert report["faults"] == {"kill": 8, "consul": 2, "drain": 8, "edge": 0}
    # Twice while orders are placed, and once when the suite is idle.
    assert rewound >= 3 * CONSUMERS_MIN
    assert report["failed_calls"] == {}
    assert report["reads"] > 0
    assert report["orders"] == sum(report["outcomes"].values()) == 80
    assert [line for line in report["books"] if not line["ok"]] == []


async def test_an_interrupted_replay_leaves_nothing_running(tmp_path: Path) -> None:
    """Ctrl-C during `--stay` says at once what it waits for, and ends all that the replay started.

    The stop takes seconds, in which a silent program would look stuck.
    """
    process = await replay("--baskets=1", "--stay", "--postgres", f"--folder={tmp_path}")
    await read_until(process, "export CONSUL_HTTP_ADDR=")

    stopping, *rest = (await interrupt(process)).splitlines()

    assert stopping.startswith("stopping 9 processes, which drain for some seconds")
    assert "Ctrl-C again ends them at once" in stopping
    assert rest == ["stopped"]
    assert process.returncode == 130
    assert _processes(str(tmp_path)) == []
    for log in _instance_logs(tmp_path):
        assert '"event": "stopped"' in log.read_text()


async def test_further_interrupts_kill_what_is_left(tmp_path: Path) -> None:
    """Ctrl-C again and again leaves no process behind, and says once which ones are killed.

    A frozen instance, which can't drain, holds the stop up until then.
    """
    process = await replay("--baskets=1", "--stay", f"--folder={tmp_path}")
    await read_until(process, "export CONSUL_HTTP_ADDR=")
    (frozen,) = _processes(f"{tmp_path}", "TRADEPOST_INSTANCE_ID=order-1")
    os.kill(frozen, signal.SIGSTOP)
    os.killpg(process.pid, signal.SIGINT)
    await read_until(process, "stopping 9 processes")
    ending = asyncio.create_task(process.communicate())
    while not ending.done():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        await asyncio.wait({ending}, timeout=0.05)

    killing, *rest = (await ending)[0].decode().splitlines()
    assert re.fullmatch("killing .*order-1.*", killing)
    assert rest == ["stopped"]
    assert process.returncode == 130
    assert _processes(str(tmp_path)) == []


async def test_an_interrupt_while_orders_are_placed_has_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a replay ends it like any other time."""
    process = await replay("--baskets=2000", f"--folder={tmp_path}")
    await read_until(process, "rejected on purpose")

    output = await interrupt(process)

    assert process.returncode == 130
    assert "Traceback" not in output
    assert "stopping 8 processes" in output
    assert output.endswith("stopped\n")


async def test_a_second_run_leaves_the_first_one_alone(tmp_path: Path) -> None:
    """A run in a folder that another one uses is refused, names it, and deletes nothing."""
    first = await replay("--baskets=1", "--stay", f"--folder={tmp_path}")
    await read_until(first, "still serving")
    before = sorted(path.name for path in (tmp_path / "data").iterdir())

    second = await replay("--baskets=1", f"--folder={tmp_path}")
    output, _ = await second.communicate()

    assert second.returncode == 2
    assert f"{tmp_path} is in use by another run (process {first.pid})" in output.decode()
    assert "--folder" in output.decode()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == before
    await interrupt(first)
    third = await replay("--baskets=1", f"--folder={tmp_path}")
    await third.communicate()
    assert third.returncode == 0


async def test_what_ends_is_named_while_the_suite_stays(tmp_path: Path) -> None:
    """With --stay, an instance or an edge that is killed is reported with signal and log."""
    process = await replay("--baskets=1", "--stay", f"--folder={tmp_path}")
    printed = await read_until(process, "export CONSUL_HTTP_ADDR=")
    (victim,) = _processes(f"{tmp_path}", "TRADEPOST_INSTANCE_ID=order-1")
    (port,) = re.findall(r"the edge: http://127\.0\.0\.1:(\d+);", printed)
    (edge,) = _processes(f"TRADEPOST_EDGE_PORT={port}\0", "child_process\0services.edge\0")

    os.kill(victim, signal.SIGKILL)

    printed = await read_until(process, "order-1 has ended")
    assert f"(SIGKILL); its log: {tmp_path / 'logs' / 'order-1.log'}" in printed
    os.kill(edge, signal.SIGKILL)
    printed = await read_until(process, "edge-1 has ended")
    assert f"(SIGKILL); its log: {tmp_path / 'logs' / 'edge.log'}" in printed
    await interrupt(process)


@pytest.mark.parametrize(
    ("option", "value", "answer"),
    [
        ("--json", "missing/figures.json", "must be a file in a folder that exists"),
        ("--folder", "taken", "can't be used .*choose another --folder"),
        ("--instances", "1", "must be at least 2, not 1"),
        ("--first-port", "70000", "must be 1 to 65535, not 70000"),
    ],
)
async def test_a_wrong_option_is_refused_before_anything_starts(
    tmp_path: Path, option: str, value: str, answer: str
) -> None:
    """The refusal is one message that names the option, and no traceback."""
    (tmp_path / "taken").touch()
    given = tmp_path / value if option in {"--json", "--folder"} else value

    process = await replay(f"{option}={given}")
    output, _ = await process.communicate()

    assert process.returncode == 2
    assert re.search(f"{option}.*{answer}|{answer}", output.decode(), re.DOTALL)
    assert "Traceback" not in output.decode()


async def test_ports_can_be_chosen(tmp_path: Path) -> None:
    """With --first-port Consul, instances and edge have known ports; a taken one is named."""
    port = free_range(10)
    first = await replay("--baskets=1", "--stay", f"--first-port={port}", f"--folder={tmp_path}")
    printed = await read_until(first, "export CONSUL_HTTP_ADDR=")

    assert f"Consul: http://127.0.0.1:{port}\n" in printed
    assert f"order: 127.0.0.1:{port + 5}, 127.0.0.1:{port + 6}\n" in printed
    assert f"the edge: http://127.0.0.1:{port + 9};" in printed
    assert printed.endswith(f"export CONSUL_HTTP_ADDR=127.0.0.1:{port}\n")
    second = await replay(f"--first-port={port}", f"--folder={tmp_path / 'second'}")
    output, _ = await second.communicate()
    assert second.returncode == 2
    assert f"port {port} can't be used" in output.decode()
    await interrupt(first)


async def test_amounts_have_a_currency(tmp_path: Path) -> None:
    """The books show amounts with their currency, and the run says why orders are rejected."""
    process = await replay("--baskets=20", f"--folder={tmp_path}")
    output, _ = await process.communicate()

    assert re.search(r"captured = totals of paid orders.*\d\.\d\d USD", output.decode())
    assert "rejected on purpose" in output.decode()


def _instance_logs(folder: Path) -> list[Path]:
    logs = sorted((folder / "logs").glob("*-[12].log"))
    assert len(logs) == 8
    return logs


def _processes(*texts: str) -> list[int]:
    """The processes whose environment and command line contain all `texts`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "environ").read_text() + (folder / "cmdline").read_text()
            except (OSError, UnicodeDecodeError):
                continue
            if all(wanted in text for wanted in texts):
                found.append(int(folder.name))
    return found
