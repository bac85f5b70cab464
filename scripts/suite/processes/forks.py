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
from typing import BinaryIO

from scripts.suite.processes.fork_request import NUMBER_BYTES, Request
from scripts.suite.run_folder import StartError
from scripts.tools.paths import ROOT


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
            os.kill(self.pid, number)


class ForkServer:
    """The process whose forks are started; it begins with the first one and ends with this one.

    Its own `environment` has no effect on that of the forks.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def fork(
        self, module: str, environment: Mapping[str, str], log: BinaryIO, *, title: str
    ) -> ForkedProgram:
        """Run a module, with this environment only, in a fork that writes to `log`.

        Process listings show it by its title. The first one waits until the imports are done.
        Raises StartError.
        """
        request = Request(module, environment, title).encode()
        with self._lock:
            if self._socket is None:
                self._socket = self._begun()
            report, reported = os.pipe()
            try:
                socket.send_fds(self._socket, [request], [log.fileno(), reported])
            except BrokenPipeError:
                pass
            finally:
                os.close(reported)
            number = os.read(report, NUMBER_BYTES)
            if not number:
                self._socket = None
                os.close(report)
                raise StartError("the process that starts instances has ended")
        return ForkedProgram(int.from_bytes(number, sys.byteorder), report)

    def _begun(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "scripts.suite.processes.fork_server"),
                    str(theirs.fileno()),
                ],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        weakref.finalize(self, _end, ours, process)
        return ours


def _end(connection: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    """End the server, and with it the forks that still run."""
    connection.close()
    process.wait()


def _is_readable(descriptor: int, timeout_s: float | None) -> bool:
    # Not `select`, which can't watch descriptors above 1,023.
    watched = select.poll()
    watched.register(descriptor, select.POLLIN)
    return bool(watched.poll(None if timeout_s is None else timeout_s * 1000))


def _ended(report: bytes) -> int:
    """The exit status in a report. A report without one is that of a server that was killed."""
    if not report:
        return -signal.SIGKILL
    return os.waitstatus_to_exitcode(int.from_bytes(report, sys.byteorder))
