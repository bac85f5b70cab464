"""Starts programs as forks of itself, which have imported already what all of them use.

    python -m scripts.suite.processes.fork_server DESCRIPTOR

A service's imports take it 1.5 to 2 s of a processor, and a fork none. The descriptor is that of a
socket, from which requests are read until it is closed; then this process ends, and its forks end
with it. It has one thread and uses neither gRPC nor a database, so that a fork of it is safe.
"""

import gc
import importlib
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress

from setproctitle import setproctitle

from scripts.suite.child_process import end_with_parent, name_threads
from scripts.suite.processes.fork_request import NUMBER_BYTES, REQUEST_BYTES, Request
from scripts.tools.paths import ROOT

# What the services share. Their own modules are imported by each fork, so that what a service
# forgets to import is missing here as it is anywhere else.
_LIBRARIES = (
    "alembic.command",
    "alembic.context",
    "discovery",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "uvloop",
)
_CHASSIS = ROOT / "services" / "chassis"
# Alembic runs these itself.
_RUN_BY_ALEMBIC = frozenset({"migrations", "migration_environment"})


def import_shared() -> None:
    """Import what all services use."""
    for name in (*_LIBRARIES, *_chassis_modules()):
        importlib.import_module(name)
    # What is there now is never garbage; to look through it would copy the memory in each fork.
    gc.collect()
    gc.freeze()


def _chassis_modules() -> list[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in sorted(_CHASSIS.rglob("*.py")))
    return [
        ".".join(path.parts)
        for path in paths
        if path.name != "__init__" and not _RUN_BY_ALEMBIC.intersection(path.parts)
    ]


def serve(connection: socket.socket) -> Request:
    """Fork for each request: returns in the forks only, and ends this process with its socket."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    # Where the end of each fork is reported.
    reports: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([connection.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 1)
            _report_ended(reports)
        if connection.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES, 2)
            if not message:
                sys.exit()
            log, report = descriptors
            process_id = os.fork()
            if process_id == 0:
                break
            os.close(log)
            reports[process_id] = report
            _tell(report, process_id)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.close()
    for descriptor in (woken, wake, report, *reports.values()):
        os.close(descriptor)
    for standard in (sys.stdout, sys.stderr):
        os.dup2(log, standard.fileno())
    os.close(log)
    return Request.decode(message)


def _report_ended(reports: dict[int, int]) -> None:
    while reports:
        process_id, status = os.waitpid(-1, os.WNOHANG)
        if process_id == 0:
            return
        report = reports.pop(process_id)
        _tell(report, status)
        os.close(report)


def _tell(report: int, number: int) -> None:
    # Whoever asked may have ended.
    with suppress(BrokenPipeError):
        os.write(report, number.to_bytes(NUMBER_BYTES, sys.byteorder))


def become(request: Request) -> None:
    """Run the program of a request in this process, a fork."""
    end_with_parent()
    os.setsid()
    # It takes the place of the environment that the process began with, so this comes first.
    setproctitle(request.title)
    os.environ.clear()
    os.environ.update(request.environment)
    name_threads()
    sys.argv = [request.module]
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import_shared()
    become(serve(socket.socket(fileno=int(sys.argv[1]))))
