"""The edge of a suite: `python -m services.edge` in front of it, and lines that call it."""

import asyncio
import json
import os
import shlex
import signal
import ssl
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from scripts.suite.cluster import START_TIMEOUT_S, Cluster
from scripts.suite.consul import free_ports
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.run_folder import StartError
from scripts.suite.secure.call_graph import EDGE
from scripts.suite.secure.credentials import PUBLIC_NAME, Credentials
from scripts.suite.secure.instructions import CUSTOMER_ID, customer_token
from scripts.tools.paths import envoy_path

_ENVOY_STARTED = '"envoy_started"'


@dataclass(frozen=True, slots=True)
class SuiteEdge:
    """A running edge; the process in its slot is the control plane, which looks after Envoy.

    That of a secure suite has its `credentials`.
    """

    port: int
    slot: ProcessSlot
    credentials: Credentials | None

    @property
    def url(self) -> str:
        """Where it is called; `https://` for that of a secure suite."""
        return edge_url(self.port, self.credentials)

    def tls(self) -> ssl.SSLContext | None:
        """How a caller checks its certificate; None if it has none."""
        if self.credentials is None:
            return None
        return ssl.create_default_context(cafile=self.credentials.public_files.roots)

    def kill_envoy(self) -> None:
        """End Envoy at once (SIGKILL); the control plane starts it again."""
        lines = self.slot.log.read_text().splitlines()
        started = [json.loads(line) for line in lines if _ENVOY_STARTED in line]
        os.kill(started[-1]["pid"], signal.SIGKILL)

    async def wait_until_listening(self) -> None:
        """Return once it accepts connections. Raises StartError when that takes too long."""
        async with self._channel() as channel:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await channel.channel_ready()
            except TimeoutError:
                raise StartError(f"the edge doesn't listen:\n{self.slot.tail()}") from None

    def _channel(self) -> grpc.aio.Channel:
        if self.credentials is None:
            return grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")
        authority = self.credentials.public_files.roots.read_bytes()
        return grpc.aio.secure_channel(
            f"{PUBLIC_NAME}:{self.port}", grpc.ssl_channel_credentials(authority)
        )


def edge_url(port: int, credentials: Credentials | None) -> str:
    """Where an edge is called that listens at this port; a secure one has `credentials`."""
    return f"http://127.0.0.1:{port}" if credentials is None else f"https://{PUBLIC_NAME}:{port}"


@asynccontextmanager
async def running_edge(
    suite: Cluster,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    port: int | None = None,
    stop: SuiteStop | None = None,
) -> AsyncIterator[SuiteEdge]:
    """Start an edge with these `settings`, its log in the folder's `logs`.

    It listens on `port`, or on a free one; `stop` gets its process.

    Raises StartError when it doesn't listen in time.
    """
    port = port or free_ports(1)[0]
    credentials = None if suite.access is None else suite.access.credentials
    environment = {
        "CONSUL_HTTP_ADDR": suite.consul.address,
        "TRADEPOST_EDGE_PORT": str(port),
        "TRADEPOST_EDGE_ENVOY": str(envoy_path()),
        **(credentials.edge_settings() if credentials else {}),
        **(settings or {}),
    }
    log = folder / "logs" / f"{EDGE}.log"
    edge = SuiteEdge(port, ProcessSlot(EDGE, 1, "services.edge", log, environment), credentials)
    if stop is not None:
        stop.include([edge.slot])
    await edge.slot.start()
    try:
        await edge.wait_until_listening()
        yield edge
    finally:
        await edge.slot.stop()


def lines_to_try(
    url: str, sku: str, *, new_id: uuid.UUID, credentials: Credentials | None
) -> Iterator[str]:
    """Commands for a shell that place an order, read it, watch it and cancel it.

    Those of a secure suite begin with one that gets a token. The request_ids are made of `new_id`,
    so that a repeated line has no second effect.
    """
    curl, customer_id = "curl -sS", "ann"
    if credentials is not None:
        authority = shlex.quote(str(credentials.public_files.roots))
        curl = f'curl -sS --cacert {authority} -H "authorization: Bearer $token"'
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
