"""One agent's HTTP API through py-consul, typed, with every failure as RegistryError.

The only module that touches py-consul (it ships no types). Its wrappers serve where they can;
`health.service` has no consistency mode, no time limit and no headers, so reads go through the
same client's HTTP layer.
"""

import json
import os
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import consul.aio
from consul.callback import CB

from discovery.registry.protocols import RegistryError

_REQUEST_TIMEOUT_S = 5.0
_TRUE = ("1", "true", "yes")


@dataclass(frozen=True, slots=True)
class AgentAddress:
    """Where an agent answers, and how to speak to it. `host` is bracketed where it is IPv6."""

    host: str = "127.0.0.1"
    port: int = 8500
    tls: bool = False
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @classmethod
    def parse(cls, text: str, *, token: str | None, ca_file: str | None, tls: bool = False) -> Self:
        """Read `[http://|https://]host[:port]` (`tls` where no scheme says so).

        Raises ValueError for anything else, an address of a Unix socket included.
        """
        scheme, separator, _ = text.partition("://")
        parts = urlsplit(text if separator else f"//{text}")
        if parts.scheme not in ("", "http", "https") or not parts.hostname:
            raise ValueError(
                f"the address of a Consul agent is [http://|https://]host:port, not {text!r}"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(
            host=host,
            port=parts.port or 8500,
            tls=scheme == "https" if separator else tls,
            token=token,
            ca_file=ca_file,
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, authority: str = "") -> Self:
        """As Consul's own command line reads it; `authority` goes before CONSUL_HTTP_ADDR."""
        return cls.parse(
            authority or environ.get("CONSUL_HTTP_ADDR", "") or "127.0.0.1:8500",
            token=environ.get("CONSUL_HTTP_TOKEN") or None,
            ca_file=environ.get("CONSUL_CACERT") or None,
            tls=environ.get("CONSUL_HTTP_SSL", "").lower() in _TRUE,
        )

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered: decoded JSON (None for a 404 that is allowed) and its headers."""

    data: Any
    headers: Mapping[str, str]


class AgentClient:
    """A pool of at most `connections` connections to one agent; belongs to one event loop."""

    def __init__(self, address: AgentAddress, *, connections: int) -> None:
        self._address = address
        with warnings.catch_warnings():
            # py-consul 1.8 hands aiohttp two arguments that aiohttp deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._client = consul.aio.Consul(
                host=address.host,
                port=address.port,
                scheme="https" if address.tls else "http",
                # Without TLS there is no certificate to verify and no context worth its 20 ms.
                verify=(address.ca_file or True) if address.tls else False,
                connections_limit=connections,
                connections_timeout=_REQUEST_TIMEOUT_S,
            )
        # py-consul lets CONSUL_HTTP_TOKEN win over the argument, ours is explicit.
        self._client.token = address.token

    async def get(
        self,
        path: str,
        params: list[tuple[str, str | int]] | None = None,
        *,
        timeout_s: float = _REQUEST_TIMEOUT_S,
        allow_404: bool = False,
    ) -> Answer:
        """Read a path. Raises RegistryError for every kind of failure."""

        def decode(response: Any) -> Answer:
            return Answer(CB.json(allow_404=allow_404)(response), response.headers)

        # Uncompressed: the agent is near, and unpacking costs more than reading.
        headers = {**self._client.prepare_headers(), "Accept-Encoding": "identity"}
        with _failures_of(self._address):
            answer: Answer = await self._client.http.get(
                decode, path, params=params, headers=headers, connections_timeout=timeout_s
            )
        return answer

    async def register(self, name: str, **definition: Any) -> None:
        """Put a service definition (py-consul's names). Raises RegistryError."""
        with _failures_of(self._address):
            done = await self._client.agent.service.register(name, **definition)
        if not done:
            raise RegistryError(f"the Consul agent at {self._address} refused to register {name}")

    async def deregister(self, service_id: str) -> None:
        """Remove a service from the agent; an unknown one is no error. Raises RegistryError."""
        with _failures_of(self._address):
            await self._client.agent.service.deregister(service_id)

    async def close(self) -> None:
        await self._client.close()


@asynccontextmanager
async def agent_client(
    address: AgentAddress, *, connections: int = 1
) -> AsyncIterator[AgentClient]:
    """A client that is closed with the block."""
    client = AgentClient(address, connections=connections)
    try:
        yield client
    finally:
        await client.close()


@contextmanager
def _failures_of(address: AgentAddress) -> Iterator[None]:
    """Turn everything that can go wrong with a request into RegistryError."""
    try:
        yield
    except TimeoutError as error:
        raise RegistryError(f"the Consul agent at {address} didn't answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise RegistryError(
            f"the Consul agent at {address} can't be reached: {_reason(error)}"
        ) from error
    except (consul.ConsulException, json.JSONDecodeError) as error:
        raise RegistryError(f"the Consul agent at {address} answered: {error}") from error


def _reason(error: Exception) -> str:
    """`Connection refused` and the like; aiohttp words these for debugging."""
    cause = getattr(error, "os_error", None)
    if isinstance(cause, ConnectionError) and cause.errno:
        return os.strerror(cause.errno)
    return str(error) or type(error).__name__
