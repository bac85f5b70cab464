"""The edge of a suite: `python -m services.edge` in front of it, and lines that call it."""

import asyncio
import shlex
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from scripts.suite.cluster import START_TIMEOUT_S, Cluster
from scripts.suite.consul import free_ports
from scripts.suite.run_folder import StartError
from scripts.suite.slot import ProcessSlot
from scripts.tools.paths import envoy_path

_NAME = "edge"


@asynccontextmanager
async def running_edge(suite: Cluster, folder: Path) -> AsyncIterator[str]:
    """Start an edge on a free port, its log in the folder's `logs`; yield its URL.

    Raises StartError when it doesn't listen in time.
    """
    (port,) = free_ports(1)
    environment = {
        "CONSUL_HTTP_ADDR": suite.consul.address,
        "TRADEPOST_EDGE_PORT": str(port),
        "TRADEPOST_EDGE_ENVOY": str(envoy_path()),
    }
    log = folder / "logs" / f"{_NAME}.log"
    slot = ProcessSlot(_NAME, 1, "services.edge", log, environment)
    await slot.start()
    try:
        await _wait_until_listening(port, slot)
        yield f"http://127.0.0.1:{port}"
    finally:
        await slot.stop()


def lines_to_try(url: str, sku: str, *, new_id: uuid.UUID) -> Iterator[str]:
    """Commands for a shell that place an order, read it, watch it and cancel it.

    The request_ids are made of `new_id`, so that a repeated line has no second effect.
    """
    order = (
        f'{{"request_id": "{uuid.uuid5(new_id, "place")}", "customer_id": "ann",'
        f' "payment_method": "pm_visa", "lines": [{{"sku": "{sku}", "quantity": 1}}]}}'
    )
    cancel = f'{{"request_id": "{uuid.uuid5(new_id, "cancel")}", "reason": "changed my mind"}}'
    json_type = "-H 'content-type: application/json'"
    yield (
        f"order=$(curl -s {url}/v1/orders {json_type} -d {shlex.quote(order)}"
        " | grep -o 'ord_[0-9a-f]*' | head -1)"
    )
    yield f"curl -s {url}/v1/orders/$order"
    yield f"curl -sN {url}/v1/orders/${{order}}:watch"
    yield f"curl -s {url}/v1/orders/${{order}}:cancel {json_type} -d {shlex.quote(cancel)}"


async def _wait_until_listening(port: int, slot: ProcessSlot) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await channel.channel_ready()
        except TimeoutError:
            raise StartError(f"the edge doesn't listen:\n{slot.tail()}") from None
