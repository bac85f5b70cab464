"""The floor: two processes of each of three skeletons, and the call that begins a checkout."""

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

from scripts.benchmarks.half import CALL_TIMEOUT_S, CALLER, Half
from scripts.benchmarks.skeleton import CHANNEL_OPTIONS, method_path
from scripts.tools.places import ROOT

INSTANCES = 2
START_TIMEOUT_S = 60.0


class SkeletonStartError(Exception):
    """A process of the floor ended, or didn't say its port in time."""


@dataclass(frozen=True, slots=True)
class Skeletons:
    """The running processes by service, and what a caller dials."""

    target: str
    processes: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class _Service:
    target: str
    pids: Sequence[int]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Skeletons]:
    """Start the processes on an empty `folder`. Raises SkeletonStartError."""
    await asyncio.to_thread(_empty, folder)
    async with AsyncExitStack() as stack:
        inventory, payment = await asyncio.gather(
            _start(stack, "inventory", folder), _start(stack, "payment", folder)
        )
        order = await _start(stack, "order", folder, inventory.target, payment.target)
        processes = {"order": order.pids, "inventory": inventory.pids, "payment": payment.pids}
        yield Skeletons(order.target, processes)


@asynccontextmanager
async def called(skeletons: Skeletons) -> AsyncIterator[Half]:
    """The floor as a half: a plain channel that takes the processes in turn."""
    async with grpc.aio.insecure_channel(skeletons.target, CHANNEL_OPTIONS) as channel:
        create: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            method_path("Create")
        )

        async def place(request: CreateOrderRequest) -> None:
            await create(request.SerializeToString(), timeout=CALL_TIMEOUT_S)

        yield Half("floor", place, {**skeletons.processes, CALLER: [os.getpid()]})


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


async def _start(stack: AsyncExitStack, service: str, folder: Path, *targets: str) -> _Service:
    processes = [
        stack.enter_context(_process(service, str(folder), *targets)) for _ in range(INSTANCES)
    ]
    ports = [await _port(process, service) for process in processes]
    return _Service(
        target="ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports),
        pids=[process.pid for process in processes],
    )


@contextmanager
def _process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    module = "scripts.benchmarks.skeleton"
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.tools.leashed", module, *arguments],
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
        said = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), START_TIMEOUT_S)
    except TimeoutError:
        said = b""
    if not said:
        raise SkeletonStartError(f"the skeleton of {service} didn't start")
    return int(said)
