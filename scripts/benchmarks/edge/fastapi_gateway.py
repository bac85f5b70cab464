"""Starts the FastAPI gateway, in an environment of its own that is installed on first use."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from discovery.clock import Clock
from scripts.benchmarks.edge.http_reader import http_reader
from scripts.benchmarks.shared.peer_environment import ensure_installed
from scripts.suite.cluster import POLL_S, START_TIMEOUT_S
from scripts.suite.consul import free_ports
from scripts.suite.run_folder import StartError
from scripts.tools.paths import ROOT

_APP = "scripts.benchmarks.edge.programs.fastapi_app"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: where it listens on loopback, and its process."""

    port: int
    pid: int


@asynccontextmanager
async def fastapi_gateway(
    logs: Path, addresses: Sequence[str], *, clock: Clock
) -> AsyncIterator[Gateway]:
    """Run the gateway until the block ends. Raises PeerMissingError, StartError."""
    python = await asyncio.to_thread(ensure_installed, "fastapi")
    (port,) = free_ports(1)
    log_file = logs / "fastapi.log"
    with (
        log_file.open("w") as log,
        subprocess.Popen(  # noqa: ASYNC220 - returns once it runs
            [
                *(python, "-m", "scripts.suite.child_process", _APP),
                *(str(port), ",".join(addresses)),
            ],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT / "generated")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            await _listening(port, process, log_file, clock)
            yield Gateway(port, process.pid)
        finally:
            process.kill()


async def _listening(
    port: int, process: "subprocess.Popen[bytes]", log: Path, clock: Clock
) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT_S):
            while process.poll() is None:
                try:
                    async with http_reader("127.0.0.1", port):
                        return
                except OSError:
                    await clock.sleep(POLL_S)
    tail = await asyncio.to_thread(log.read_text)
    raise StartError(f"the FastAPI gateway doesn't listen:\n{tail[-4000:]}")
