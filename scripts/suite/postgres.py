"""A private PostgreSQL server: reached by a Unix socket, ended with its parent process."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from scripts.tools.paths import postgres_bin

USER = "tradepost"
# For data that may be lost when the machine fails.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_START_TIMEOUT_S = 120.0
_POLL_S = 0.02
# For a small machine that runs other processes, too.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
_NOBODY = 65534
# The server refuses to run as root.
_AS_NOBODY = ("--reuid=nobody", "--regid=nogroup", "--clear-groups")
# Let `nobody` enter folders that only root may enter, where root itself may (CAP_DAC_OVERRIDE).
_ENTER_ANY_FOLDER = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
_CAP_DAC_OVERRIDE = 1 << 1


class PostgresServer:
    """A server that creates and keeps its data in `folder`; `settings` are for postgresql.conf.

    It can be stopped, killed and started again on the same data, at the same address. Its log is
    appended to `log_file`.
    """

    def __init__(
        self, folder: Path, *, log_file: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._data = folder
        self._log_file = log_file
        # A socket's path may have 107 bytes at most, so it is not below `folder`.
        self._socket = Path(tempfile.mkdtemp(prefix="tradepost-pg-"))
        self._settings = {
            **_SETTINGS,
            "unix_socket_directories": str(self._socket),
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        if _is_root():
            os.chown(self._socket, _NOBODY, _NOBODY)

    def url(self, database: str) -> str:
        """The URL of one of its databases, as in DATABASE_URL."""
        return f"postgresql://{USER}@/{database}?host={self._socket}"

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Create a database as a copy of `template`. Raises psycopg.Error."""
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)

    def start(self) -> None:
        """Start the server and return once it takes connections. Raises RuntimeError with its log.

        The server ends with the thread that calls this.
        """
        if not self._data.exists():
            self._make_data()
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                _allowed("postgres", "-D", str(self._data), *settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_ready(self._process)

    def stop(self) -> None:
        """Stop the server as an operator does: it cuts connections and writes its data."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server at once; the next start recovers from the write-ahead log."""
        self._end(signal.SIGQUIT)

    def close(self) -> None:
        """End the server and remove its socket; its data stay."""
        self.kill()
        shutil.rmtree(self._socket, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _make_data(self) -> None:
        self._data.mkdir(parents=True)
        if _is_root():
            os.chown(self._data, _NOBODY, _NOBODY)
        command = _allowed(
            *("initdb", "-D", str(self._data), "--username", USER, "--auth=trust"),
            *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        )
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        give_up_s = time.monotonic() + _START_TIMEOUT_S
        while not self._is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > give_up_s:
                self.kill()
                log = self._log_file.read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL didn't start:\n{log}")
            time.sleep(_POLL_S)

    def _is_ready(self, pid: int) -> bool:
        """Whether postmaster.pid names this process as ready; `pg_ctl` looks at the same lines."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and lines[-1:] in (["ready"], ["standby"])

    def _execute(self, command: str, *names: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(command).format(*map(sql.Identifier, names)))


def _allowed(program: str, *arguments: str) -> list[str]:
    """The command line that runs a PostgreSQL program and ends it with its parent."""
    who: tuple[str, ...] = ()
    if _is_root():
        who = (*_AS_NOBODY, *(_ENTER_ANY_FOLDER if _may_enter_any_folder() else ()))
    return ["setpriv", "--pdeathsig=QUIT", *who, str(postgres_bin() / program), *arguments]


def _is_root() -> bool:
    return os.geteuid() == 0


def _may_enter_any_folder() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_DAC_OVERRIDE)
    return False
