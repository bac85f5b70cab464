"""A typed client of one agent's HTTP API, over py-consul; every failure is a RegistryError.

Only `agent_http` imports py-consul as well, which ships no types. Registrations use its wrappers.
Reads use its HTTP layer, because its wrapper `health.service` has no consistency mode, no time
limit and no headers.
"""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import consul
from consul.callback import CB

from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.agent_http import REQUEST_TIMEOUT_S, AgentHttp, PyConsul
from discovery.registry.protocols import RegistryError


@dataclass(frozen=True, slots=True)
class Answer:
    """An agent's answer: decoded JSON (None for an allowed 404) and the headers."""

    data: Any
    headers: Mapping[str, str]


class AgentClient:
    """At most `connections` connections to one agent; belongs to one event loop.

    Raises RegistryError if a file of its certificates can't be used.
    """

    def __init__(self, address: AgentAddress, *, connections: int) -> None:
        self._address = address
        try:
            self._client = PyConsul(AgentHttp(address, limit=connections))
        except OSError as error:
            raise RegistryError(f"the certificates for {address} can't be used: {error}") from error
        # py-consul prefers CONSUL_HTTP_TOKEN to its argument; here the argument counts.
        self._client.token = address.token

    async def get(
        self,
        path: str,
        params: list[tuple[str, str | int]] | None = None,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        allow_404: bool = False,
    ) -> Answer:
        """Send a GET request. Raises RegistryError for every kind of failure."""

        def decode(response: Any) -> Answer:
            return Answer(CB.json(allow_404=allow_404)(response), response.headers)

        # Uncompressed: the agent is near, so decompressing costs more than it saves.
        headers = {**self._client.prepare_headers(), "Accept-Encoding": "identity"}
        with _failures_of(self._address):
            answer: Answer = await self._client.http.get(
                decode, path, params=params, headers=headers, timeout_s=timeout_s
            )
        return answer

    async def register(self, name: str, **definition: Any) -> None:
        """Register a service; `definition` uses py-consul's names. Raises RegistryError."""
        with _failures_of(self._address):
            done = await self._client.agent.service.register(name, **definition)
        if not done:
            raise RegistryError(f"the Consul agent at {self._address} refused to register {name}")

    async def deregister(self, service_id: str) -> None:
        """Remove a service from the agent; an unknown one is no error. Raises RegistryError."""
        with _failures_of(self._address):
            await self._client.agent.service.deregister(service_id)

    async def set_maintenance(self, service_id: str, *, on: bool, reason: str) -> None:
        """Begin or end the maintenance of a service. Raises RegistryError, if it is unknown too."""
        with _failures_of(self._address):
            await self._client.agent.service.maintenance(service_id, str(on).lower(), reason)

    async def close(self) -> None:
        await self._client.close()


@asynccontextmanager
async def agent_client(
    address: AgentAddress, *, connections: int = 1
) -> AsyncIterator[AgentClient]:
    """A client that is closed when the block ends."""
    client = AgentClient(address, connections=connections)
    try:
        yield client
    finally:
        await client.close()


@contextmanager
def _failures_of(address: AgentAddress) -> Iterator[None]:
    """Convert every failure of a request into RegistryError."""
    try:
        yield
    except TimeoutError as error:
        raise RegistryError(f"the Consul agent at {address} didn't answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise RegistryError(
            f"the Consul agent at {address} can't be reached: {_reason(error)}"
        ) from error
    except (consul.ConsulException, ValueError, RecursionError) as error:
        # ValueError: the answer is no JSON, or not even UTF-8.
        raise RegistryError(f"the Consul agent at {address} answered: {error}") from error


def _reason(error: Exception) -> str:
    """The operating system's text, such as `Connection refused`; aiohttp's own is longer."""
    cause = getattr(error, "os_error", None)
    if isinstance(cause, ConnectionError) and cause.errno:
        return os.strerror(cause.errno)
    return str(error) or type(error).__name__
