"""Programs of ours that run as forks of one process, which has imported what they share."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

from scripts.suite.processes.fork_request import (
    NUMBER_BYTES,
    PROCESS_ID,
    REQUEST_BYTES,
    Request,
)
from scripts.suite.run_folder import StartError
from scripts.tools.paths import ROOT

# The first fork waits for the server's imports, which take 2.5 s of a processor.
_FORKED_IN_S = 120.0
# A server that ends closes its socket a moment before its end can be seen.
_ENDS_IN_S = 1.0


class ForkedProgram:
    """A program in a fork, with what a slot needs of a `subprocess.Popen`."""

    def __init__(self, pid: int, report: int) -> None:
        self.pid = pid
        self._report = report
        self._status: int | None = None
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, report)

    def poll(self) -> int | None:
        """How it ended, as `Popen.returncode` tells it; None while it runs."""
        with self._lock:
            if self._status is None and _is_readable(self._report, 0):
                self._status = _ended(os.read(self._report, NUMBER_BYTES))
            return self._status

    def wait(self, timeout_s: float | None = None, /) -> int:
        """Wait for its end. Raises TimeoutExpired."""
        _is_readable(self._report, timeout_s)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout_s or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing once it has ended."""
        if self.poll() is None:
            # It may have ended, and its end not be reported yet.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class ForkServer:
    """The process whose forks run programs; it starts at the first fork and ends with this process.

    `environment` is the server's; each fork gets its own.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def fork(
        self, module: str, environment: Mapping[str, str], log: BinaryIO, *, title: str
    ) -> ForkedProgram:
        """Run a module, with this environment only, in a fork that writes to `log`.

        Process listings show it by its title. The first call waits until the server has done its
        imports. Raises StartError.
        """
        request = Request(module, environment, title).encode()
        if len(request) > REQUEST_BYTES:
            raise StartError(f"the settings of {title} take more than {REQUEST_BYTES} bytes")
        with self._lock:
            server = self._server = self._server or _Server.begun(self._environment)
            report, reported = os.pipe()
            try:
                number = self._asked(server, request, log, report, reported)
            except OSError as error:
                os.close(report)
                if server.has_ended():
                    self._server = None
                raise StartError(f"{title} can't be started: {error}") from error
        return ForkedProgram(number, report)

    def _asked(
        self, server: "_Server", request: bytes, log: BinaryIO, report: int, reported: int
    ) -> int:
        """The process id of a new fork. Raises OSError if there is none."""
        try:
            socket.send_fds(server.connection, [request], [log.fileno(), reported])
        finally:
            os.close(reported)
        if not _is_readable(report, _FORKED_IN_S):
            raise TimeoutError(f"the fork server didn't answer in {_FORKED_IN_S:g} s")
        number = int.from_bytes(os.read(report, NUMBER_BYTES), sys.byteorder)
        if not number & PROCESS_ID:
            raise ChildProcessError("the fork server or its fork has ended")
        return number - PROCESS_ID


class _Server:
    """A running server, and the socket on which it is asked."""

    def __init__(self, connection: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        self.connection = connection
        self._process = process
        self._end = weakref.finalize(self, _end, connection, process)

    @classmethod
    def begun(cls, environment: Mapping[str, str]) -> "_Server":
        """Start one."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "scripts.suite.processes.fork_server"),
                    str(theirs.fileno()),
                ],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return cls(ours, process)

    def has_ended(self) -> bool:
        """Whether it has ended; one that is ending is waited for. Then its socket is closed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_IN_S)
            self._end()
            return True
        return False


def _end(connection: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    """End the server, and with it the forks that still run."""
    connection.close()
    process.kill()
    process.wait()


def _is_readable(descriptor: int, timeout_s: float | None) -> bool:
    # Not `select`, which can't watch descriptors above 1,023.
    watched = select.poll()
    watched.register(descriptor, select.POLLIN)
    return bool(watched.poll(None if timeout_s is None else timeout_s * 1000))


def _ended(report: bytes) -> int:
    """The exit status in a report; an empty one is of a server that died, which kills its forks."""
    if not report:
        return -signal.SIGKILL
    return os.waitstatus_to_exitcode(int.from_bytes(report, sys.byteorder))
