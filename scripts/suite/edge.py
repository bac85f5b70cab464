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
from scripts.suite.secure.call_graph import EDGE
from scripts.suite.secure.credentials import PUBLIC_NAME, Credentials
from scripts.suite.secure.instructions import CUSTOMER_ID, customer_token
from scripts.suite.slot import ProcessSlot
from scripts.tools.paths import envoy_path


@asynccontextmanager
async def running_edge(suite: Cluster, folder: Path) -> AsyncIterator[str]:
    """Start an edge on a free port, its log in the folder's `logs`; yield its URL.

    That of a secure suite is `https://`. Raises StartError when it doesn't listen in time.
    """
    (port,) = free_ports(1)
    credentials = None if suite.access is None else suite.access.credentials
    environment = {
        "CONSUL_HTTP_ADDR": suite.consul.address,
        "TRADEPOST_EDGE_PORT": str(port),
        "TRADEPOST_EDGE_ENVOY": str(envoy_path()),
        **(credentials.edge_settings() if credentials else {}),
    }
    log = folder / "logs" / f"{EDGE}.log"
    slot = ProcessSlot(EDGE, 1, "services.edge", log, environment)
    await slot.start()
    try:
        await _wait_until_listening(_channel(port, credentials), slot)
        yield f"https://{PUBLIC_NAME}:{port}" if credentials else f"http://127.0.0.1:{port}"
    finally:
        await slot.stop()


def _channel(port: int, credentials: Credentials | None) -> grpc.aio.Channel:
    """A channel to the edge, by TLS if it is that of a secure suite."""
    if credentials is None:
        return grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    authority = credentials.public_files.roots.read_bytes()
    return grpc.aio.secure_channel(f"{PUBLIC_NAME}:{port}", grpc.ssl_channel_credentials(authority))


def lines_to_try(
    url: str, sku: str, *, new_id: uuid.UUID, credentials: Credentials | None
) -> Iterator[str]:
    """Commands for a shell that place an order, read it, watch it and cancel it.

    Those of a secure suite begin with one that gets a token. The request_ids are made of `new_id`,
    so that a repeated line has no second effect.
    """
    curl, customer_id = "curl -s", "ann"
    if credentials is not None:
        authority = shlex.quote(str(credentials.public_files.roots))
        curl = f'curl -s --cacert {authority} -H "authorization: Bearer $token"'
        customer_id = CUSTOMER_ID
        yield f"token={customer_token(credentials)}"
    order = (
        f'{{"request_id": "{uuid.uuid5(new_id, "place")}", "customer_id": "{customer_id}",'
        f' "payment_method": "pm_visa", "lines": [{{"sku": "{sku}", "quantity": 1}}]}}'
    )
    cancel = f'{{"request_id": "{uuid.uuid5(new_id, "cancel")}", "reason": "changed my mind"}}'
    json_type = "-H 'content-type: application/json'"
    yield (
        f"order=$({curl} {url}/v1/orders {json_type} -d {shlex.quote(order)}"
        " | grep -o 'ord_[0-9a-f]*' | head -1)"
    )
    yield f"{curl} {url}/v1/orders/$order"
    yield f"{curl} -N {url}/v1/orders/${{order}}:watch"
    yield f"{curl} {url}/v1/orders/${{order}}:cancel {json_type} -d {shlex.quote(cancel)}"


async def _wait_until_listening(channel: grpc.aio.Channel, slot: ProcessSlot) -> None:
    async with channel:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await channel.channel_ready()
        except TimeoutError:
            raise StartError(f"the edge doesn't listen:\n{slot.tail()}") from None
