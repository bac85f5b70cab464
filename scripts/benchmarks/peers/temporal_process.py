"""A process with the engine Temporal: a workflow of four empty activities, and a dev server.

    python -m scripts.benchmarks.peers.temporal_process FILE

It runs in the Python environment of the peers. The server keeps its data in FILE, so it is as
durable as the others.
"""

import asyncio
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from scripts.benchmarks.peers.line_protocol import serve

QUEUE = "checkout"
STEPS = ("reserve", "authorize", "commit", "capture")
STEP_TIMEOUT_S = 30
CONNECTS_MAX = 300
CONNECT_PAUSE_S = 0.1


@activity.defn
async def step(order_id: str, _: str) -> str:
    """A step of a participant, which does nothing."""
    return order_id


@workflow.defn
class Checkout:
    """The saga of one order."""

    @workflow.run
    async def run(self, order_id: str) -> str:
        """Run the steps one after another."""
        timeout = timedelta(seconds=STEP_TIMEOUT_S)
        for name in STEPS:
            await workflow.execute_activity(
                step, args=[order_id, name], start_to_close_timeout=timeout
            )
        return order_id


async def _main(file: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("temporal")
    server = subprocess.Popen(  # noqa: ASYNC220 - returns once it runs
        [
            *("setpriv", "--pdeathsig=KILL", program, "server", "start-dev", "--headless"),
            *("--ip", "127.0.0.1", "--port", str(port), "--db-filename", file),
            *("--log-level", "error"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        client = await _connected(f"127.0.0.1:{port}")
        async with Worker(client, task_queue=QUEUE, workflows=[Checkout], activities=[step]):
            await serve(
                lambda order_id: client.execute_workflow(
                    Checkout.run, order_id, id=order_id, task_queue=QUEUE
                )
            )
    finally:
        server.kill()
        server.wait()


async def _connected(address: str) -> Client:
    for _ in range(CONNECTS_MAX):
        try:
            return await Client.connect(address)
        except (RPCError, RuntimeError):
            await asyncio.sleep(CONNECT_PAUSE_S)
    return await Client.connect(address)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
