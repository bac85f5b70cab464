"""A slot for one instance of a service: starts a process in it, stops it, starts the next."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from scripts.suite.processes.forks import ForkServer
from scripts.tools.paths import ROOT, VENV

STOP_TIMEOUT_S = 20.0
LOG_TAIL_LINES = 20


def _kept_bytecode(environment: Path) -> Mapping[str, str]:
    """Settings with which the Python of a virtual environment keeps its bytecode.

    Compiling an instance's imports takes four times as long as the rest of its start.
    """
    return {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(environment / "bytecode"),
    }


KEEP_BYTECODE = _kept_bytecode(VENV)
# Settings with these prefixes are read when a process starts, so a fork would ignore them.
_READ_AT_THE_START = ("GLIBC_", "GRPC_", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON", "TZ")


class Process(Protocol):
    """A running program, like a `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout_s: float | None = None, /) -> int: ...

    def send_signal(self, number: int, /) -> None: ...


class Programs(Protocol):
    """Where the programs of slots come from: a checkout, or an image."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def has(self, service: str) -> bool:
        """Whether the service is among them: an older version may lack one."""
        ...

    def start(self, slot: "ProcessSlot", log: BinaryIO) -> Process:
        """Start a slot's module in its environment; return before it serves."""
        ...

    def send(self, slot: "ProcessSlot", number: signal.Signals) -> None:
        """Send a signal to the program in a slot."""
        ...


@dataclass(frozen=True, slots=True)
class Installation:
    """A checkout of this repository, and a Python with the packages that it needs.

    It is the Python of its own `.venv`, or that of another checkout with the same lock. If it
    `forks`, its programs start as forks of one process of this checkout, which saves each of them
    the imports; they then share memory.
    """

    root: Path
    python: Path
    forks: bool = False

    @property
    def name(self) -> str:
        """What people call it: a checkout of another commit is named after that."""
        return "this checkout" if self.root == ROOT else self.root.name

    @property
    def settings(self) -> Mapping[str, str]:
        """The environment of its processes: what they import of ours is the code of `root`."""
        own = self.root / VENV.relative_to(ROOT)
        environment = self.python.parents[1]
        paths = os.pathsep.join([str(self.root), str(self.root / "generated")])
        return {
            **_kept_bytecode(environment),
            **({} if environment == own else {"PYTHONPATH": paths}),
        }

    def has(self, service: str) -> bool:
        """Whether the checkout has the service."""
        return (self.root / "services" / service).is_dir()

    def start(self, slot: "ProcessSlot", log: BinaryIO) -> Process:
        """Start a slot's module; it ends with this process. Raises StartError."""
        environment = {**os.environ, **self.settings, **slot.environment}
        if self.forks and not any(map(_is_read_at_the_start, slot.environment)):
            title = f"{slot.name}: {slot.module}"
            return _FORKS.fork(slot.module, environment, log, title=title)
        return subprocess.Popen(
            [self.python, "-m", "scripts.suite.child_process", slot.module],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def send(self, slot: "ProcessSlot", number: signal.Signals) -> None:
        """Send a signal to the process."""
        if slot.process is not None:
            slot.process.send_signal(number)


THIS_INSTALLATION = Installation(ROOT, Path(sys.executable), forks=True)
# For the benchmarks of checkouts and the edge: each process starts as in production.
UNSHARED = replace(THIS_INSTALLATION, forks=False)


_FORKS = ForkServer({**os.environ, **THIS_INSTALLATION.settings})


def _is_read_at_the_start(setting: str) -> bool:
    return setting.startswith(_READ_AT_THE_START)


@dataclass(slots=True)
class ProcessSlot:
    """A slot of a service, in which one process at a time runs `module`.

    The process may be replaced; the slot's name, log and environment stay. Its code is that of
    `programs`.
    """

    service: str
    number: int
    module: str
    log: Path
    environment: Mapping[str, str]
    programs: Programs = THIS_INSTALLATION
    process: Process | None = None

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"

    @property
    def ended(self) -> str | None:
        """How the process ended; None while it runs."""
        if self.process is None:
            return "it was never started"
        status = self.process.poll()
        if status is None:
            return None
        return f"status {status}" if status >= 0 else signal.Signals(-status).name

    def take_code_of(self, programs: Programs) -> None:
        """Let the next process run that code; this checkout's if the service isn't in that yet."""
        self.programs = programs if programs.has(self.service) else THIS_INSTALLATION

    async def start(self) -> None:
        """Start the process; return before it serves. The first fork of all waits for imports.

        Uses subprocess, not the event loop: uvloop forks, and the gRPC handlers in a fork of a
        process that uses gRPC start threads that crash before the program runs. subprocess doesn't
        fork here.
        """
        with self.log.open("ab") as log:
            self.process = self.programs.start(self, log)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Signal the process and wait until it has ended: SIGTERM drains it, SIGKILL ends it.

        A process that hasn't ended after STOP_TIMEOUT_S is killed.
        """
        if self.process is None or self.ended:
            return
        self.send(how)
        try:
            await asyncio.to_thread(self.process.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None:
            self.programs.send(self, number)

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
