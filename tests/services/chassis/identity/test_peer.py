"""A peer is the service that its verified certificate names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from discovery.tls.certificates import Certificates
from services.chassis.identity.peer import PeerOf, peer_of
from services.chassis.request.context import Context
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates

METHOD = "/tradepost.testing.Peers/Name"


@asynccontextmanager
async def naming_server(peer: PeerOf, certificates: Certificates) -> AsyncIterator[int]:
    """Serve one method that answers with the name of its peer; yields the port."""

    async def name(request: bytes, context: Context) -> bytes:
        return peer(context).encode()

    service, _, method = METHOD[1:].partition("/")
    handler = grpc.unary_unary_rpc_method_handler(name)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    pair = (certificates.key, certificates.chain)
    credentials = grpc.ssl_server_credentials(
        [pair], root_certificates=certificates.roots, require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("spiffe_id", "expected"),
    [
        ("spiffe://shop.test/payment", "payment"),
        ("spiffe://other.test/payment", ""),
        ("", ""),
    ],
)
async def test_the_spiffe_id_of_the_own_trust_domain_names_the_peer(
    spiffe_id: str, expected: str
) -> None:
    """Neither another trust domain nor a certificate without a SPIFFE id makes a service known."""
    authority = Authority()
    own = authority.issue("order")
    caller = authority.issue("payment", spiffe_id=spiffe_id)
    async with (
        naming_server(peer_of(MemoryCertificates(own)), own) as port,
        grpc.aio.secure_channel(
            f"localhost:{port}",
            grpc.ssl_channel_credentials(caller.roots, caller.key, caller.chain),
            options=[("grpc.ssl_target_name_override", "order")],
        ) as channel,
    ):
        answer = await channel.unary_unary(METHOD)(b"")

    assert answer == expected.encode()
