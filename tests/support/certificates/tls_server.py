"""A gRPC server that demands a certificate of its callers and names them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

import discovery

WHO = "/tests.Tls/Who"
ECHO = "/tests.Tls/Echo"


@dataclass
class TlsServer:
    """A running server, and which services have called it."""

    address: str
    callers: list[str] = field(default_factory=list)


def server_credentials(source: discovery.CertificateSource) -> grpc.ServerCredentials:
    """Credentials that use the source's newest certificates for each new connection."""

    def configuration() -> grpc.ServerCertificateConfiguration:
        own = source.current
        return grpc.ssl_server_certificate_configuration([(own.key, own.chain)], own.roots)

    return grpc.dynamic_ssl_server_credentials(
        configuration(), configuration, require_client_authentication=True
    )


def channel_credentials(certificates: discovery.Certificates) -> grpc.ChannelCredentials:
    """The credentials of a plain gRPC channel."""
    return grpc.ssl_channel_credentials(certificates.roots, certificates.key, certificates.chain)


async def who_calls(source: discovery.CertificateSource, server: TlsServer, service: str) -> str:
    """Who a server says is calling; the plain channel expects a server of this service."""
    name = source.server_name(service)
    options = [("grpc.ssl_target_name_override", name), ("grpc.use_local_subchannel_pool", 1)]
    credentials = channel_credentials(source.current)
    async with grpc.aio.secure_channel(server.address, credentials, options=options) as channel:
        answer: bytes = await channel.unary_unary(WHO)(b"", timeout=60)
        return answer.decode()


@asynccontextmanager
async def tls_server(source: discovery.CertificateSource) -> AsyncIterator[TlsServer]:
    """Run a server until the end of the block.

    `WHO` answers with the service that the caller's certificate names, `ECHO` with each request.
    """
    running = TlsServer("")

    def caller(context: Any) -> str:
        (identity,) = context.auth_context()["peer_spiffe_id"]
        running.callers.append(source.service_of(identity.decode()))
        return running.callers[-1]

    async def who(_: bytes, context: Any) -> bytes:
        return caller(context).encode()

    async def echo(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        caller(context)
        async for request in requests:
            yield request

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Who": grpc.unary_unary_rpc_method_handler(who),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tests.Tls", handlers),))
    port = server.add_secure_port("127.0.0.1:0", server_credentials(source))
    running.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield running
    finally:
        await server.stop(None)
