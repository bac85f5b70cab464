"""Connections may use TLS, which checks the service's name and not an address.

`tls/` holds a self-signed certificate for "probe", made for these tests and valid for a century.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

import discovery
from discovery import blocking
from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry
from scripts.tools.paths import ROOT

TLS = ROOT / "tests/support/discovery/tls"
CERTIFICATE = (TLS / "probe.crt").read_bytes()
KEY = (TLS / "probe.key").read_bytes()


OVERRIDE = (("grpc.ssl_target_name_override", "probe"),)


@pytest.fixture
async def tls_port() -> AsyncIterator[int]:
    """The port of a TLS server, which answers with the authorization of the call."""

    async def handle(request: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        return str(metadata.get("authorization", "")).encode() + b"@" + request

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handlers = {"M": grpc.unary_unary_rpc_method_handler(handle)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("p.S", handlers),))
    credentials = grpc.ssl_server_credentials([(KEY, CERTIFICATE)])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield port
    await server.stop(None)


@pytest.fixture
async def registry(tls_port: int) -> MemoryRegistry:
    """A registry with this server as the one instance of "probe"."""
    registry = MemoryRegistry()
    await registry.register(Instance("a", "probe", "127.0.0.1", tls_port))
    return registry


async def test_tls_checks_the_services_name(registry: MemoryRegistry) -> None:
    """TLS accepts a certificate that names the service, here "probe", and not its address."""
    async with discovery.open_channel(
        "memory:///probe",
        credentials=grpc.ssl_channel_credentials(CERTIFICATE),
        watcher=registry,
        rng=random.Random(7),
    ) as channel:
        assert await channel.unary_unary("/p.S/M")(b"x") == b"@x"


@pytest.mark.parametrize("authority", [None, "order"])
async def test_tls_may_check_another_name(tls_port: int, authority: str | None) -> None:
    """`grpc.ssl_target_name_override` names what TLS checks, as in grpc.aio."""
    async with discovery.open_channel(
        f"static:///127.0.0.1:{tls_port}",
        credentials=grpc.ssl_channel_credentials(CERTIFICATE),
        authority=authority,
        options=OVERRIDE,
    ) as channel:
        assert await channel.unary_unary("/p.S/M")(b"x") == b"@x"


async def test_tls_may_check_another_name_for_blocking_callers(tls_port: int) -> None:
    """The same holds in the blocking driver."""

    def call() -> object:
        with blocking.open_channel(
            f"static:///127.0.0.1:{tls_port}",
            credentials=grpc.ssl_channel_credentials(CERTIFICATE),
            options=OVERRIDE,
        ) as channel:
            return channel.unary_unary("/p.S/M")(b"x")

    assert await asyncio.to_thread(call) == b"@x"


async def test_another_authority_is_refused(registry: MemoryRegistry) -> None:
    """A certificate for "probe" is refused where the authority is "other"."""
    async with discovery.open_channel(
        "memory:///probe",
        credentials=grpc.ssl_channel_credentials(CERTIFICATE),
        authority="other",
        watcher=registry,
        rng=random.Random(7),
    ) as channel:
        with pytest.raises(discovery.NoInstanceError, match="Hostname Verification Check failed"):
            await channel.unary_unary("/p.S/M")(b"x")


async def test_a_call_may_carry_credentials_of_its_own(registry: MemoryRegistry) -> None:
    """On a secure channel a call may carry its own credentials, as in grpc.aio."""
    async with discovery.open_channel(
        "memory:///probe",
        credentials=grpc.ssl_channel_credentials(CERTIFICATE),
        watcher=registry,
        rng=random.Random(7),
    ) as channel:
        call = channel.unary_unary("/p.S/M")
        answer = await call(b"x", credentials=grpc.access_token_call_credentials("secret"))

    assert answer == b"Bearer secret@x"
