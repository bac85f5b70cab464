"""Starts the client of one way as a process, and gives it commands."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmarks.discovery.load import LoadResult
from scripts.suite.processes.slot import KEEP_BYTECODE
from scripts.suite.run_folder import StartError
from scripts.tools.paths import ROOT

_MODULE = "scripts.benchmarks.edge.programs.way_client"
_ANSWER_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class ClientProcess:
    """A running client; `log` has what it wrote to its standard error."""

    way: str
    process: "subprocess.Popen[str]"
    log: Path

    async def open(self) -> None:
        """Open a new channel, and return when all instances have answered. Raises StartError."""
        await self._ask(do="open")

    async def closed(self, *, calls: int, concurrency: int) -> LoadResult:
        """Make these calls. Raises StartError."""
        return _load(await self._ask(do="closed", calls=calls, concurrency=concurrency))

    async def start(self, *, rate_per_s: float) -> None:
        """Begin to call slow reads at the rate. Raises StartError."""
        await self._ask(do="start", rate_per_s=rate_per_s)

    async def stop(self) -> LoadResult:
        """End the calls at a rate; return them. Raises StartError."""
        return _load(await self._ask(do="stop"))

    async def _ask(self, **command: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                line = await asyncio.to_thread(self._exchange, json.dumps(command))
        except (TimeoutError, OSError):
            line = ""
        if not line:
            tail = self.log.read_text()[-4000:]
            raise StartError(f"the client {self.way} doesn't answer to {command}:\n{tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _exchange(self, command: str) -> str:
        assert self.process.stdin is not None  # noqa: S101 (it was given pipes)
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@asynccontextmanager
async def client_process(
    way: str, target: str, instances: int, *, log: Path, environment: Mapping[str, str]
) -> AsyncIterator[ClientProcess]:
    """Run the client until the block ends; it has no channel before `open`."""
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: ASYNC220 - returns once it runs
            [
                *(sys.executable, "-m", "scripts.suite.child_process", _MODULE),
                *(way, target, str(instances)),
            ],
            cwd=ROOT,
            env={**KEEP_BYTECODE, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield ClientProcess(way, process, log)
        finally:
            process.kill()


def _load(answer: Mapping[str, Any]) -> LoadResult:
    ended = [(due_s, took_s, code) for due_s, took_s, code in answer["ended"]]
    return LoadResult(answer["cpu_s"], answer["elapsed_s"], ended)
