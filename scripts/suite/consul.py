"""A private Consul agent: on free ports, with nothing on disk, ended with its parent process."""

import fcntl
import itertools
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.tools.paths import consul_path

_IN_MEMORY = ("-dev",)
_START_TIMEOUT_S = 60.0
_START_ATTEMPTS = 3
# Logged, in any order, once the agent has written itself to its catalogue, and once it leads and
# its certificate authority has a root: that is the last thing that a leader starts.
_IN_CATALOGUE = "Synced node info"
LEADS = 'routine="CA root pruning"'
# Below the range from which the kernel takes the ports of connections and of listeners that ask for
# any: one of those could take a port between the look at it and its use. So could another run on
# this machine, so each process takes its ports from blocks that it has locked.
_PORTS = range(10_000, 32_000)
_BLOCK = 200
# Runs the agent until this shell's standard input ends: when we close it, or end in any way.
_UNTIL_INPUT_ENDS = """
"$@" & agent=$!
exec >/dev/null 2>&1
trap 'kill -9 $agent; wait $agent' EXIT
trap 'exit 1' INT TERM HUP
read _
"""


class ConsulAgent:
    """`consul agent -dev` on 127.0.0.1: a server in memory, which loses its data at a restart.

    Its ports are free ones, or `http_port` where it is given; they stay the same over restarts.
    With `tls` its HTTP API is HTTPS (`hcl` must then name key and certificate). Its log is appended
    to `log_file`, if given. For one of several servers, `mode` holds its arguments instead of
    `-dev`, `host` is its own address, and `ready` are the log lines after which it has started.
    """

    def __init__(
        self,
        *,
        hcl: str = "",
        tls: bool = False,
        log_file: Path | None = None,
        host: str = "127.0.0.1",
        mode: Sequence[str] = _IN_MEMORY,
        ready: Sequence[str] = (LEADS, _IN_CATALOGUE),
        http_port: int | None = None,
    ) -> None:
        self.host = host
        self._ready = ready
        self._given_port = http_port
        self._mode = mode
        self._hcl = hcl
        self._tls = tls
        self._log_file = log_file
        self._process: subprocess.Popen[str] | None = None
        self._log: list[str] = []
        self._has_run = False
        # Whether it was started and runs no longer.
        self.ended = False
        self._line_came = threading.Condition()
        self._choose_ports()

    @property
    def address(self) -> str:
        """`[https://]host:port` of its HTTP API, as in CONSUL_HTTP_ADDR."""
        return f"{'https://' if self._tls else ''}{self.host}:{self.http_port}"

    @property
    def node(self) -> str:
        """The name of its node."""
        return f"test-{self.host.replace('.', '-')}"

    @property
    def is_in_memory(self) -> bool:
        """Whether it loses its data at a restart."""
        return self._mode == _IN_MEMORY

    @property
    def log(self) -> str:
        """The log since the last start."""
        return "".join(self._log)

    def start(self) -> None:
        """Start the agent and return once it answers. Raises RuntimeError with its log."""
        for _ in range(_START_ATTEMPTS):
            self._launch()
            if all(self.wait_for_line(line, timeout_s=_START_TIMEOUT_S) for line in self._ready):
                self._has_run = True
                return
            self.kill()
            if self._has_run or "address already in use" not in self.log:
                break
            self._choose_ports()
        raise RuntimeError(f"the Consul agent didn't start:\n{self.log}")

    def kill(self) -> None:
        """End the agent at once (SIGKILL)."""
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101 (Popen was given a pipe)
            self._process.stdin.close()
            self._process.wait()
            self._reader.join()
            self._process = None

    def restart(self) -> None:
        """Kill the agent and start it on the same ports; one in memory loses all registrations."""
        self.kill()
        self.start()

    def wait_for_line(self, text: str, *, timeout_s: float) -> bool:
        """Wait for a text in the log; False when the time is up or the process ends first."""
        with self._line_came:
            self._line_came.wait_for(lambda: self.ended or text in self.log, timeout_s)
            return text in self.log

    def _launch(self) -> None:
        self._log.clear()
        self.ended = False
        self._process = subprocess.Popen(
            ["sh", "-c", _UNTIL_INPUT_ENDS, "sh", str(consul_path()), "agent", *self._settings()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C must not reach Consul: the services deregister first.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 (Popen was given a pipe)
        with process.stdout as lines, (self._log_file or Path(os.devnull)).open("a") as copy:
            for line in lines:
                copy.write(line)
                copy.flush()
                with self._line_came:
                    self._log.append(line)
                    self._line_came.notify_all()
        with self._line_came:
            self.ended = True
            self._line_came.notify_all()

    def _choose_ports(self) -> None:
        free, self._rpc_port, self._serf_port = free_ports(3)
        self.http_port = self._given_port or free

    def _settings(self) -> list[str]:
        http, https = (-1, self.http_port) if self._tls else (self.http_port, -1)
        ports = (
            f"ports {{ http = {http}, https = {https}, server = {self._rpc_port},"
            f" serf_lan = {self._serf_port}, serf_wan = -1, dns = -1, grpc = -1 }}"
        )
        settings = [ports, "disable_update_check = true", *([self._hcl] if self._hcl else [])]
        return [
            *self._mode,
            *(
                f"-bind={self.host}",
                f"-client={self.host}",
                f"-node={self.node}",
            ),
            "-log-level=info",
            *(f"-hcl={setting}" for setting in settings),
        ]


def free_ports(number: int) -> list[int]:
    """Ports that are free now, for TCP and (serf) UDP; no port is returned twice in a row.

    No other process is given them while this one lives. Raises OSError if there are too few.
    """
    found = list(itertools.islice(_free_ports, number))
    if len(found) < number:
        raise OSError(f"{number} free ports from {_PORTS.start} on are not to be had")
    return found


def _reserved_ports() -> Iterator[int]:
    """Lock one block of ports after the other, and yield what is free in it."""
    folder = Path(tempfile.gettempdir()) / f"tradepost-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    blocks = [_PORTS[first : first + _BLOCK] for first in range(0, len(_PORTS), _BLOCK)]
    # Processes that start one after the other begin at different blocks.
    begin = os.getpid() % len(blocks)
    mine = []
    for block in blocks[begin:] + blocks[:begin]:
        # Never closed: the lock ends with the process.
        lock = os.open(folder / str(block.start), os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        mine.append(block)
        yield from filter(_is_free, block)
    while any(map(_is_free, itertools.chain(*mine))):
        yield from filter(_is_free, itertools.chain(*mine))


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            # Every address of the machine: one that listens elsewhere is in the way, too.
            tcp.bind(("", port))
            udp.bind(("", port))
        except OSError:
            return False
    return True


_free_ports = _reserved_ports()
