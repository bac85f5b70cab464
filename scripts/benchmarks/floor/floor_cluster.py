"""Starts the floor: two processes for each of three services, and the call that begins a
checkout.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest

from scripts.benchmarks.floor.floor_process import CHANNEL_OPTIONS, method_path
from scripts.benchmarks.shared.contender import CALL_TIMEOUT_S, CALLER, Contender
from scripts.suite import databases
from scripts.suite.run_folder import only_user
from scripts.tools.paths import ROOT

SERVICES = ("order", "inventory", "payment")
INSTANCES = 2
START_TIMEOUT_S = 60.0


class FloorStartError(Exception):
    """A process of the floor ended, or did not print its port in time."""


@dataclass(frozen=True, slots=True)
class RunningFloor:
    """The target of the order processes; all processes and database URLs by service."""

    target: str
    processes: Mapping[str, Sequence[int]]
    urls: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Service:
    target: str
    pids: Sequence[int]


@asynccontextmanager
async def running(folder: Path, *, postgres: bool = False) -> AsyncIterator[RunningFloor]:
    """Start the processes on an empty `folder`. Raises FloorStartError, StartError.

    The processor has a SQLite file of its own on both databases, as in the suite.
    """
    with only_user(folder):
        await asyncio.to_thread(_empty, folder)
        async with _started(folder, postgres=postgres) as floor:
            yield floor


@asynccontextmanager
async def _started(folder: Path, *, postgres: bool) -> AsyncIterator[RunningFloor]:
    processor = f"sqlite:///{folder / 'data' / 'processor'}.db"
    async with (
        databases.opened(folder, SERVICES, postgres=postgres) as urls,
        AsyncExitStack() as stack,
    ):
        inventory, payment = await asyncio.gather(
            _start(stack, "inventory", urls["inventory"]),
            _start(stack, "payment", urls["payment"], processor),
        )
        order = await _start(stack, "order", urls["order"], inventory.target, payment.target)
        processes = {"order": order.pids, "inventory": inventory.pids, "payment": payment.pids}
        yield RunningFloor(order.target, {**processes, **databases.server_processes(folder)}, urls)


@asynccontextmanager
async def as_contender(running_floor: RunningFloor) -> AsyncIterator[Contender]:
    """The floor as a contender, called through a plain round-robin channel."""
    async with grpc.aio.insecure_channel(running_floor.target, CHANNEL_OPTIONS) as channel:
        create: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            method_path("Create")
        )

        async def place(request: CreateOrderRequest) -> None:
            await create(request.SerializeToString(), timeout=CALL_TIMEOUT_S)

        yield Contender("floor", place, {**running_floor.processes, CALLER: [os.getpid()]})


def _empty(folder: Path) -> None:
    for name in ("data", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)


async def _start(stack: AsyncExitStack, service: str, *arguments: str) -> _Service:
    processes = [stack.enter_context(_process(service, *arguments)) for _ in range(INSTANCES)]
    ports = [await _port(process, service) for process in processes]
    return _Service(
        target="ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports),
        pids=[process.pid for process in processes],
    )


@contextmanager
def _process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    module = "scripts.benchmarks.floor.floor_process"
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.suite.child_process", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def _port(process: subprocess.Popen[bytes], service: str) -> int:
    assert process.stdout is not None  # noqa: S101 (it was given a pipe)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await asyncio.to_thread(process.stdout.readline)
    except TimeoutError:
        line = b""
    if not line:
        raise FloorStartError(f"the floor's {service} process didn't start")
    return int(line)
