"""Programs that start as forks of a process which has imported what they share."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from discovery.clock import SystemClock
from scripts.suite.processes.forks import ForkedProgram, ForkServer
from scripts.suite.processes.slot import KEEP_BYTECODE, ProcessSlot
from scripts.suite.run_folder import StartError
from scripts.tools.paths import ROOT
from tests.support.limits import WAIT_S

PROGRAM = "tests.support.suite.forked_program"
# Starts a fork, prints its process id, and waits.
_ASKS = """
import os, signal, sys
from scripts.suite.processes.forks import ForkServer
fork = ForkServer(os.environ).fork(sys.argv[1], {}, open(sys.argv[2], "ab"), title="probe-2")
print(fork.pid, flush=True)
signal.pause()
"""


def begin(
    server: ForkServer, log: Path, environment: dict[str, str] | None = None
) -> tuple[ForkedProgram, dict[str, Any]]:
    """Start the program and return what it says of itself."""
    with log.open("ab") as output:
        program = server.fork(PROGRAM, environment or {}, output, title="probe-1: a program")
    until(lambda: log.read_text().endswith("\n"))
    state: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    return program, state


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    clock = SystemClock()
    give_up_s = clock.monotonic() + WAIT_S
    while not condition():
        assert clock.monotonic() < give_up_s
        threading.Event().wait(0.01)


def is_running(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def server() -> ForkServer:
    """A server of these tests."""
    return ForkServer(KEEP_BYTECODE)


def test_a_fork_has_what_a_process_of_its_own_has(server: ForkServer, tmp_path: Path) -> None:
    """Environment, folder, arguments, session and title are those of the program alone."""
    program, state = begin(server, tmp_path / "log", {"EXIT_STATUS": "7"})

    assert program.wait(WAIT_S) == 7
    assert program.poll() == 7
    assert state["environment"] == {"EXIT_STATUS": "7"}
    assert state["folder"] == str(ROOT)
    assert state["arguments"] == [f"{ROOT}/{PROGRAM.replace('.', '/')}.py"]
    assert state["title"] == "probe-1: a program"
    assert state["leads_its_session"]


def test_no_service_is_imported_for_the_forks(server: ForkServer, tmp_path: Path) -> None:
    """A service doesn't find what another one has imported."""
    program, state = begin(server, tmp_path / "log", {"EXIT_STATUS": "0"})

    program.wait(WAIT_S)
    assert "services.chassis.server.lifecycle" in state["chassis"]
    assert [name for name in state["chassis"] if "services.chassis" not in name] == []


def test_a_fork_is_waited_for_and_signalled_like_a_process(
    server: ForkServer, tmp_path: Path
) -> None:
    """It runs until a signal ends it, which is its status; later signals reach nobody."""
    program, _ = begin(server, tmp_path / "log")

    assert program.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.01)
    program.send_signal(signal.SIGKILL)
    assert program.wait(WAIT_S) == -signal.SIGKILL
    program.send_signal(signal.SIGKILL)


def test_the_end_of_whoever_asked_ends_the_forks(tmp_path: Path) -> None:
    """A run that is killed leaves no instance behind, not even a frozen one."""
    log = tmp_path / "log"
    asks = subprocess.Popen(
        [sys.executable, "-c", _ASKS, PROGRAM, log], cwd=ROOT, stdout=subprocess.PIPE
    )
    with asks:
        assert asks.stdout is not None
        pid = int(asks.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        asks.kill()

    until(lambda: not is_running(pid))


def test_after_the_end_of_the_server_another_one_begins(tmp_path: Path) -> None:
    """Its forks have ended with it, and whoever asks next gets an error or a new fork."""
    server = ForkServer(KEEP_BYTECODE)
    first, _ = begin(server, tmp_path / "first")
    parent = int(Path(f"/proc/{first.pid}/stat").read_text().rpartition(")")[2].split()[1])

    os.kill(parent, signal.SIGKILL)

    assert first.wait(WAIT_S) == -signal.SIGKILL
    with pytest.raises(StartError, match="can't be started"):
        begin(server, tmp_path / "second")
    third, _ = begin(server, tmp_path / "third")
    third.send_signal(signal.SIGTERM)
    assert third.wait(WAIT_S) == -signal.SIGTERM


def test_a_fork_that_fails_ends_no_other(server: ForkServer, tmp_path: Path) -> None:
    """Settings that are too large, and a server that can open no more files, cost one start."""
    first, _ = begin(server, tmp_path / "first")
    parent = int(Path(f"/proc/{first.pid}/stat").read_text().rpartition(")")[2].split()[1])

    with pytest.raises(StartError, match="bytes"):
        begin(server, tmp_path / "large", {"LARGE": "x" * 200_000})
    before = resource.prlimit(parent, resource.RLIMIT_NOFILE, (1, 4_096))
    with pytest.raises(StartError, match="can't be started"):
        begin(server, tmp_path / "none")
    resource.prlimit(parent, resource.RLIMIT_NOFILE, (min(before[0], 4_096), 4_096))

    second, _ = begin(server, tmp_path / "second")
    for program in (first, second):
        program.send_signal(signal.SIGTERM)
        assert program.wait(WAIT_S) == -signal.SIGTERM


@pytest.mark.parametrize(("setting", "forks"), [("ANY", True), ("PYTHONUTF8", False)])
async def test_what_python_reads_as_it_begins_needs_a_process_of_its_own(
    tmp_path: Path, setting: str, *, forks: bool
) -> None:
    """A fork has begun already, so an instance with such a setting is started by itself."""
    environment = {setting: "1", "EXIT_STATUS": "0"}
    slot = ProcessSlot("probe", 1, PROGRAM, tmp_path / "log", environment)

    await slot.start()

    assert isinstance(slot.process, ForkedProgram) == forks
    assert await asyncio.to_thread(slot.process.wait, WAIT_S) == 0
    assert json.loads((tmp_path / "log").read_text())["environment"][setting] == "1"
