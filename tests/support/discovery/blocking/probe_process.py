"""A probe server in a process of its own: prints its port, and serves until its input ends.

python -m tests.support.discovery.blocking.probe_process NAME
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from discovery.registry.instance import Instance
from scripts.tools.paths import ROOT
from tests.support.discovery import probe_service


@dataclass
class ProbeProcess:
    """A running probe server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """The address that clients connect to."""
        return f"127.0.0.1:{self.port}"

    def instance(self) -> Instance:
        """The instance as it is registered."""
        return Instance(self.name, "probe", "127.0.0.1", self.port, incarnation=str(self.port))

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def probe_processes(*names: str) -> Iterator[list[ProbeProcess]]:
    """Server processes until the end of the block; they start in parallel."""
    module = "tests.support.discovery.blocking.probe_process"
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", module, name],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for name in names
        ]
        for process in started:
            stack.callback(process.kill)
        yield [
            ProbeProcess(name, _port_of(process), process)
            for name, process in zip(names, started, strict=True)
        ]


def _port_of(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


async def serve(name: str) -> None:
    """Serve until standard input ends."""
    async with probe_service.running(name, health=probe_service.SERVING) as probe:
        print(probe.port, flush=True)  # noqa: T201 - how the parent learns it
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
