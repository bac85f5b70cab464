"""py-consul's client over connections of this package's own making."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import aiohttp
import consul.aio
from consul.base import HTTPClient, Response

from discovery.registry.consul.agent_address import AgentAddress

REQUEST_TIMEOUT_S = 5.0
# A timeout of aiohttp that ends together with a cancellation swallows that (aiohttp 3.14).
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


class AgentHttp(HTTPClient):  # type: ignore[misc]
    """py-consul's interface for sending requests, over aiohttp.

    Its own implementation for asyncio takes no server without a verified certificate together with
    a certificate of the client, no further parameters, and two arguments that aiohttp deprecates.
    """

    def __init__(self, address: AgentAddress, *, limit: int) -> None:
        scheme = "https" if address.tls else "http"
        super().__init__(address.host, address.port, scheme)
        scope = (("ns", address.namespace), ("partition", address.partition))
        self._scope = [(name, value) for name, value in scope if value]
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=_tls_of(address)),
            headers=_authorization(address),
            timeout=_NO_TIMEOUT,
        )

    async def get(
        self,
        callback: Callable[[Response], Any],
        path: str,
        params: Any = None,
        headers: dict[str, str] | None = None,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        **_: Any,
    ) -> Any:
        """Send a GET request and return what the callback makes of the response."""
        return await self._send("GET", callback, path, params, headers, b"", timeout_s)

    async def put(
        self,
        callback: Callable[[Response], Any],
        path: str,
        params: Any = None,
        data: str | bytes = b"",
        headers: dict[str, str] | None = None,
        **_: Any,
    ) -> Any:
        """Send a PUT request and return what the callback makes of the response."""
        return await self._send("PUT", callback, path, params, headers, data, REQUEST_TIMEOUT_S)

    async def delete(self, *_: Any, **__: Any) -> Any:
        """Not used here."""
        raise NotImplementedError

    async def post(self, *_: Any, **__: Any) -> Any:
        """Not used here."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _send(  # noqa: PLR0917 - called by `get` and `put` alone
        self,
        verb: str,
        callback: Callable[[Response], Any],
        path: str,
        params: Any,
        headers: dict[str, str] | None,
        data: str | bytes,
        timeout_s: float,
    ) -> Any:
        uri = self.uri(path, [*(params or ()), *self._scope])
        async with (
            asyncio.timeout(timeout_s),
            self._session.request(verb, uri, headers=headers, data=data) as answer,
        ):
            body = await answer.text(encoding="utf-8")
        return callback(Response(answer.status, answer.headers, body))


def _authorization(address: AgentAddress) -> dict[str, str]:
    """The header for a proxy with a password (RFC 7617); Consul itself has none."""
    if address.http_auth is None:
        return {}
    user, _, password = address.http_auth.partition(":")
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def _tls_of(address: AgentAddress) -> ssl.SSLContext | bool:
    """How certificates are checked. Raises OSError for a file that can't be used."""
    if not address.tls:
        # There is nothing to verify, and a TLS context would cost 20 ms.
        return False
    context = ssl.create_default_context(cafile=address.ca_file)
    if not address.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if address.cert_file:
        context.load_cert_chain(address.cert_file, address.key_file)
    return context


class PyConsul(consul.aio.Consul):  # type: ignore[misc]
    """py-consul's client over these connections."""

    def __init__(self, http: AgentHttp) -> None:
        self._connections = http
        super().__init__(host=http.host, port=http.port, scheme=http.scheme, verify=False)

    def http_connect(self, *_: Any, **__: Any) -> AgentHttp:
        """Return the connections that were given."""
        return self._connections
