"""Starts programs as forks of itself, which have imported already what all of them use.

    python -m scripts.suite.processes.fork_server DESCRIPTOR

A start by itself costs a service 1.4 to 2.4 s of a processor, nearly all for imports; a fork
imports only the service's own modules. The descriptor is that of a socket, from which requests are
read until it is closed; then this process ends, and its forks end with it. It has one thread and
uses neither gRPC nor a database, so that a fork of it is safe.
"""

import gc
import importlib
import os
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from setproctitle import setproctitle

from scripts.suite.child_process import end_with_parent, name_threads
from scripts.suite.processes.fork_request import NUMBER_BYTES, PROCESS_ID, REQUEST_BYTES, Request
from scripts.tools.paths import ROOT

# What the services share. Each fork imports the modules of its service itself, so that a service
# doesn't find what another one has imported.
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
    # A collection writes to the pages of the objects that it looks through, and so copies them in
    # each fork. These objects stay for good, so it leaves them out.
    gc.collect()
    gc.freeze()
    if threading.active_count() > 1:
        raise RuntimeError("a module has started a thread as it was imported: forks may hang")


def _chassis_modules() -> list[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in sorted(_CHASSIS.rglob("*.py")))
    return [
        ".".join(path.parts)
        for path in paths
        if path.name != "__init__" and not _RUN_BY_ALEMBIC.intersection(path.parts)
    ]


def serve(connection: socket.socket) -> Request:
    """Fork for each request: returns in the forks only, and ends this process with its socket."""
    server = os.getpid()
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
            if not _fork(descriptors, reports):
                break
    end_with_parent(server)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.close()
    log, report = descriptors
    for standard in (sys.stdout, sys.stderr):
        os.dup2(log, standard.fileno())
    for descriptor in (woken, wake, log, *reports.values()):
        os.close(descriptor)
    _report(report, PROCESS_ID | os.getpid())
    os.close(report)
    return Request.decode(message)


def _fork(descriptors: Sequence[int], reports: dict[int, int]) -> bool:
    """Fork; False in the fork. If there can be no fork, its report is closed without a number."""
    try:
        # At the limit of open files, the kernel drops descriptors of a message.
        log, report = descriptors
        process_id = os.fork()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"no fork: {error}\n")
        for descriptor in descriptors:
            os.close(descriptor)
        return True
    if process_id == 0:
        return False
    reports[process_id] = report
    os.close(log)
    return True


def _report_ended(reports: dict[int, int]) -> None:
    while reports:
        process_id, status = os.waitpid(-1, os.WNOHANG)
        if process_id == 0:
            return
        report = reports.pop(process_id)
        _report(report, status)
        os.close(report)


def _report(report: int, number: int) -> None:
    # Whoever asked may have ended.
    with suppress(BrokenPipeError):
        os.write(report, number.to_bytes(NUMBER_BYTES, sys.byteorder))


def become(request: Request) -> None:
    """Run the program of a request in this process, a fork."""
    os.setsid()
    # setproctitle overwrites the memory of the first environment, so the new one is set after it.
    setproctitle(request.title)
    os.environ.clear()
    os.environ.update(request.environment)
    name_threads()
    sys.argv = [request.module]
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import_shared()
    become(serve(socket.socket(fileno=int(sys.argv[1]))))
