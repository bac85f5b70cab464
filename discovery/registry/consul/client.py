"""A typed client of one agent's HTTP API, over py-consul; every failure is a RegistryError.

No other module imports py-consul, which ships no types. Registrations use its wrappers. Reads use
its HTTP layer, because its wrapper `health.service` has no consistency mode, no time limit and no
headers.
"""

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
    """Where an agent listens, and how to connect to it; an IPv6 `host` has brackets."""

    host: str = "127.0.0.1"
    port: int = 8500
    tls: bool = False
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @classmethod
    def parse(cls, text: str, *, token: str | None, ca_file: str | None, tls: bool = False) -> Self:
        """Parse `[http://|https://]host[:port]`; `tls` applies if there is no scheme.

        Raises ValueError for anything else, including the address of a Unix socket.
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
        """Read the variables of Consul's command line; `authority` replaces CONSUL_HTTP_ADDR."""
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
    """An agent's answer: decoded JSON (None for an allowed 404) and the headers."""

    data: Any
    headers: Mapping[str, str]


class AgentClient:
    """At most `connections` connections to one agent; belongs to one event loop."""

    def __init__(self, address: AgentAddress, *, connections: int) -> None:
        self._address = address
        with warnings.catch_warnings():
            # py-consul 1.8 passes two arguments that aiohttp has deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._client = consul.aio.Consul(
                host=address.host,
                port=address.port,
                scheme="https" if address.tls else "http",
                # Without TLS there is nothing to verify, and a TLS context would cost 20 ms.
                verify=(address.ca_file or True) if address.tls else False,
                connections_limit=connections,
                connections_timeout=_REQUEST_TIMEOUT_S,
            )
        # py-consul prefers CONSUL_HTTP_TOKEN to its argument; here the argument counts.
        self._client.token = address.token

    async def get(
        self,
        path: str,
        params: list[tuple[str, str | int]] | None = None,
        *,
        timeout_s: float = _REQUEST_TIMEOUT_S,
        allow_404: bool = False,
    ) -> Answer:
        """Send a GET request. Raises RegistryError for every kind of failure."""

        def decode(response: Any) -> Answer:
            return Answer(CB.json(allow_404=allow_404)(response), response.headers)

        # Uncompressed: the agent is near, so decompressing costs more than it saves.
        headers = {**self._client.prepare_headers(), "Accept-Encoding": "identity"}
        with _failures_of(self._address):
            answer: Answer = await self._client.http.get(
                decode, path, params=params, headers=headers, connections_timeout=timeout_s
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
