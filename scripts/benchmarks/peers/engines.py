"""Runs the checkout saga on other engines, DBOS and Temporal, as four empty steps.

The engines are installed in an environment of their own when they are first needed.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from tradepost.order.v1.order_service_pb2 import CreateOrderRequest

from scripts.benchmarks.peers.line_protocol import READY
from scripts.benchmarks.shared.contender import CALLER, Contender, OrderFailedError
from scripts.benchmarks.shared.peer_environment import PeerMissingError
from scripts.suite import databases
from scripts.tools.paths import ROOT

START_TIMEOUT_S = 60.0
# The share of our orders that each of them handles in about the same time.
DBOS_SHARE = 0.25
TEMPORAL_SHARE = 0.06


@asynccontextmanager
async def dbos(python: Path, folder: Path, *, postgres: bool) -> AsyncIterator[Contender]:
    """DBOS on SQLite or PostgreSQL. Raises PeerMissingError.

    Two processes on PostgreSQL; one on SQLite, which DBOS supports for a single process only.
    """
    await asyncio.to_thread(_empty, folder)
    async with databases.opened(folder, ("dbos",), postgres=postgres) as urls:
        commands = [
            _command(python, "dbos_process", urls["dbos"], str(number))
            for number in range(2 if postgres else 1)
        ]
        async with _running(commands) as workers:
            processes = {
                "dbos": [worker.process.pid for worker in workers],
                **databases.server_processes(folder),
            }
            yield _contender("dbos", workers, processes, DBOS_SHARE)


@asynccontextmanager
async def temporal(python: Path, folder: Path) -> AsyncIterator[Contender]:
    """A Temporal worker, with a dev server as its child. Raises PeerMissingError."""
    await asyncio.to_thread(_empty, folder)
    command = _command(python, "temporal_process", str(folder / "data" / "temporal.db"))
    async with _running([command]) as workers:
        processes = {"temporal": [worker.process.pid for worker in workers]}
        yield _contender("temporal", workers, processes, TEMPORAL_SHARE)


@dataclass(slots=True)
class _Worker:
    """A process, and the future of each saga that it runs."""

    process: subprocess.Popen[bytes]
    answers: asyncio.StreamReader
    waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    async def place(self, order_id: str) -> None:
        done = self.waiting[order_id] = asyncio.get_running_loop().create_future()
        assert self.process.stdin is not None  # noqa: S101 (it was given a pipe)
        self.process.stdin.write(f"{order_id}\n".encode())
        self.process.stdin.flush()
        await done

    async def listen(self) -> None:
        while line := await self.answers.readline():
            self.waiting.pop(line.decode().strip()).set_result(None)
        for done in self.waiting.values():
            done.set_exception(OrderFailedError("the process ended"))


def _contender(
    name: str, workers: Sequence[_Worker], processes: dict[str, list[int]], share: float
) -> Contender:
    turns = cycle(workers)

    async def place(request: CreateOrderRequest) -> None:
        await next(turns).place(request.request_id)

    return Contender(name, place, {**processes, CALLER: [os.getpid()]}, share)


def _command(python: Path, module: str, *arguments: str) -> list[str]:
    program = ("-m", "scripts.suite.child_process", f"scripts.benchmarks.peers.{module}")
    return [str(python), *program, *arguments]


@asynccontextmanager
async def _running(commands: Sequence[Sequence[str]]) -> AsyncIterator[Sequence[_Worker]]:
    async with AsyncExitStack() as stack:
        # One after another: the first one creates the tables.
        workers = [await _started(stack, command) for command in commands]
        listeners = [asyncio.create_task(worker.listen()) for worker in workers]
        try:
            yield workers
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)


async def _started(stack: AsyncExitStack, command: Sequence[str]) -> _Worker:
    process = stack.enter_context(
        subprocess.Popen(  # noqa: ASYNC220 - returns once it runs
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    )
    stack.callback(process.kill)
    answers = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(answers), process.stdout
    )
    stack.callback(pipe.close)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await answers.readline()
    except TimeoutError:
        line = b""
    if line.decode().strip() != READY:
        raise PeerMissingError(f"{command[4]} didn't start")
    return _Worker(process, answers)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("data", "logs"):
        (folder / name).mkdir(parents=True)
