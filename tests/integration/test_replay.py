"""`./scripts/run` itself: real baskets, a real Consul agent, and the books at the end."""

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from scripts.suite.consul import free_ports
from scripts.suite.web.applications import INSTANCES, PORTS
from tests.support.suite.replay_program import (
    StayingReplay,
    interrupt,
    printed_logins,
    read_until,
    replay,
    staying,
)

# At least the summary's consumers of orders and payments, and the notification service's.
CONSUMERS_MIN = 3

FIGURES = "figures.json"
# With --stay: two instances of each service, the edge, the login and the web applications.
STAYING = 9 + PORTS

pytestmark = pytest.mark.asyncio(loop_scope="session")


def free_range(number: int) -> int:
    """The first of so many free ports in a row, which no other process of tests is given."""
    found = free_ports(number)
    while found[-number:] != list(range(found[-number], found[-number] + number)):
        found += free_ports(1)
    return found[-number]


@dataclass(frozen=True, slots=True)
class EndedReplay:
    """A run that is over: its status, what it printed and the folder that it used."""

    status: int | None
    printed: str
    folder: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def interrupted(tmp_path_factory: pytest.TempPathFactory) -> EndedReplay:
    """A run that gets a Ctrl-C while orders are placed."""
    folder = tmp_path_factory.mktemp("interrupted")
    process = await replay("--baskets=2000", f"--folder={folder}")
    await read_until(process, "rejected on purpose")
    os.killpg(process.pid, signal.SIGINT)
    return await ended(process, folder)


@dataclass(frozen=True, slots=True)
class SharedReplay:
    """A run that serves while several tests look at it, with ports from `first_port` on."""

    run: StayingReplay
    folder: Path
    first_port: int


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SharedReplay]:
    """A run of real baskets that stays until the tests of this module are over."""
    folder, port = tmp_path_factory.mktemp("shared"), free_range(10 + PORTS)
    async with staying(*of_every_kind(folder), f"--first-port={port}") as run:
        yield SharedReplay(run, folder, port)


def of_every_kind(folder: Path) -> tuple[str, ...]:
    """Options for baskets among which several customers return everything."""
    return "--baskets=150", "--seed=316", f"--json={folder / FIGURES}", f"--folder={folder}"


def assert_settled(folder: Path) -> None:
    """Every order is settled, every kind of outcome occurs, and every equation holds."""
    report = json.loads((folder / FIGURES).read_text())
    assert report["orders"] == sum(report["outcomes"].values())
    occurring = {"CONFIRMED", "FULFILLED", "REJECTED", "REFUNDED", "RETURNED"}
    assert occurring <= set(report["outcomes"])
    assert len(report["books"]) >= 20
    assert [line for line in report["books"] if not line["ok"]] == []


async def ended(process: asyncio.subprocess.Process, folder: Path) -> EndedReplay:
    """Wait for the end of a run."""
    output, _ = await process.communicate()
    return EndedReplay(process.returncode, output.decode(), folder)


async def test_a_replay_of_real_baskets_balances_its_books(shared: SharedReplay) -> None:
    """The books show amounts with their currency, and the run says why orders are rejected."""
    assert_settled(shared.folder)
    assert re.search(r"captured = totals of paid orders.*\d\.\d\d USD", shared.run.printed)
    assert "rejected on purpose" in shared.run.printed


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

    The stop takes seconds, in which a silent program would look stuck. This run has its orders on
    PostgreSQL, and its books balance, too.
    """
    process = await replay("--stay", "--postgres", *of_every_kind(tmp_path))
    await read_until(process, "export CONSUL_HTTP_ADDR=")
    assert_settled(tmp_path)

    stopping, *rest = (await interrupt(process)).splitlines()

    assert stopping.startswith(f"stopping {STAYING} processes, which drain for some seconds")
    assert "Ctrl-C again ends them at once" in stopping
    assert rest == ["stopped"]
    assert process.returncode == 130
    assert _processes(str(tmp_path)) == []
    for log in _instance_logs(tmp_path):
        assert '"event": "stopped"' in log.read_text()


async def test_further_interrupts_kill_what_is_left(interrupted: EndedReplay) -> None:
    """Ctrl-C again and again leaves no process behind, and says once which ones are killed.

    A frozen instance, which can't drain, holds the stop up until then. The run uses the folder of
    one that was interrupted, as if that had never run.
    """
    folder = interrupted.folder
    process = await replay("--baskets=1", "--stay", f"--folder={folder}")
    await read_until(process, "export CONSUL_HTTP_ADDR=")
    (frozen,) = _processes(f"{folder}/logs/order-1.log", "services.order")
    os.kill(frozen, signal.SIGSTOP)
    os.killpg(process.pid, signal.SIGINT)
    await read_until(process, f"stopping {STAYING} processes")
    ending = asyncio.create_task(process.communicate())
    while not ending.done():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        await asyncio.wait({ending}, timeout=0.05)

    killing, *rest = (await ending)[0].decode().splitlines()
    assert re.fullmatch("killing .*order-1.*", killing)
    assert rest == ["stopped"]
    assert process.returncode == 130
    assert _processes(str(folder)) == []


async def test_an_interrupt_while_orders_are_placed_has_no_traceback(
    interrupted: EndedReplay,
) -> None:
    """Ctrl-C in the middle of a replay ends it like any other time."""
    assert interrupted.status == 130
    assert "Traceback" not in interrupted.printed
    assert "stopping 8 processes" in interrupted.printed
    assert interrupted.printed.endswith("stopped\n")


async def test_a_second_run_leaves_the_first_one_alone(shared: SharedReplay) -> None:
    """A run in a folder that another one uses is refused, names it, and deletes nothing."""
    before = sorted(path.name for path in (shared.folder / "data").iterdir())

    second = await replay("--baskets=1", f"--folder={shared.folder}")
    output, _ = await second.communicate()

    assert second.returncode == 2
    user = f"{shared.folder} is in use by another run (process {shared.run.process.pid})"
    assert user in output.decode()
    assert "--folder" in output.decode()
    assert sorted(path.name for path in (shared.folder / "data").iterdir()) == before


async def test_a_run_that_stays_says_what_to_open(shared: SharedReplay) -> None:
    """The printed URLs of shop and console lead to the login."""
    assert await printed_logins(shared.run.printed) == ["the shop", "the console"]


async def test_what_ends_is_named_while_the_suite_stays(shared: SharedReplay) -> None:
    """With --stay, an instance or an edge that is killed is reported with signal and log."""
    logs = shared.folder / "logs"
    (victim,) = _processes(f"{logs}/order-1.log", "services.order")
    (edge,) = _processes(f"{logs}/edge.log", "services.edge")

    os.kill(victim, signal.SIGKILL)

    printed = await read_until(shared.run.process, "order-1 has ended")
    assert f"(SIGKILL); its log: {logs / 'order-1.log'}" in printed
    os.kill(edge, signal.SIGKILL)
    printed = await read_until(shared.run.process, "edge-1 has ended")
    assert f"(SIGKILL); its log: {logs / 'edge.log'}" in printed


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


async def test_ports_can_be_chosen(shared: SharedReplay, tmp_path: Path) -> None:
    """With --first-port Consul, instances and edge have known ports; a taken one is named."""
    port, printed = shared.first_port, shared.run.printed
    assert f"Consul: http://127.0.0.1:{port}\n" in printed
    assert f"order: 127.0.0.1:{port + 5}, 127.0.0.1:{port + 6}\n" in printed
    assert f"the shop: http://127.0.0.1:{port + 9}/shop " in printed
    assert f"the edge: http://127.0.0.1:{port + 9};" in printed
    assert printed.endswith(f"export CONSUL_HTTP_ADDR=127.0.0.1:{port}\n")
    second = await replay(f"--first-port={port}", f"--folder={tmp_path / 'second'}")
    output, _ = await second.communicate()
    assert second.returncode == 2
    assert f"port {port} can't be used" in output.decode()


def _instance_logs(folder: Path) -> list[Path]:
    logs = sorted((folder / "logs").glob("*-[12].log"))
    assert len(logs) == 8 + sum(INSTANCES.values())
    return logs


def _processes(*texts: str) -> list[int]:
    """The processes whose environment, command line and open files contain all `texts`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                files = list(_links(folder / "fd"))
                text = (folder / "environ").read_text() + (folder / "cmdline").read_text()
            except (OSError, UnicodeDecodeError):
                continue
            if all(wanted in "\0".join([text, *files]) for wanted in texts):
                found.append(int(folder.name))
    return found


def _links(folder: Path) -> Iterator[str]:
    for link in folder.iterdir():
        # It may be closed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            yield str(link.readlink())
