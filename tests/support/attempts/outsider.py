"""Calls the RPCs of a secure suite as somebody with no right to, past every client library."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor import MethodDescriptor

from discovery.tls.certificates import Certificates
from scripts.suite.cluster import SERVICES, Cluster
from scripts.suite.secure.call_graph import methods, serving

CALL_TIMEOUT_S = 60.0
Metadata = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Served:
    """An RPC at an instance of a service that serves it."""

    service: str
    method: MethodDescriptor

    @property
    def path(self) -> str:
        """The RPC as HTTP/2 names it."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"


def served() -> list[Served]:
    """Every RPC at every service that may serve it."""
    return [
        Served(service, method)
        for method in methods()
        for service in serving(method.containing_service, SERVICES)
    ]


@dataclass(frozen=True, slots=True)
class Outsider:
    """Somebody with one connection to an instance of each service."""

    channels: Mapping[str, grpc.aio.Channel]

    async def call(
        self, rpc: Served, metadata: Metadata = (), body: bytes = b""
    ) -> grpc.StatusCode:
        """The status of a call; an empty body is an empty request. Only a first message is read."""
        channel = self.channels[rpc.service]
        try:
            if rpc.method.server_streaming:
                stream = channel.unary_stream(rpc.path)(
                    body, metadata=metadata, timeout=CALL_TIMEOUT_S
                )
                await stream.read()
                stream.cancel()
            else:
                await channel.unary_unary(rpc.path)(body, metadata=metadata, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@asynccontextmanager
async def outsider(
    suite: Cluster, certificates: Certificates | None, *, plaintext: bool = False
) -> AsyncIterator[Outsider]:
    """Connect to the first instance of each service with a certificate, without one, or plainly."""
    async with AsyncExitStack() as stack:
        channels = {}
        for service in SERVICES:
            endpoint = (await suite.instances(service))[0].endpoint
            channel = (
                grpc.aio.insecure_channel(endpoint)
                if plaintext
                else grpc.aio.secure_channel(
                    endpoint,
                    _credentials(suite, certificates),
                    options=[("grpc.ssl_target_name_override", service)],
                )
            )
            channels[service] = await stack.enter_async_context(channel)
        yield Outsider(channels)


def _credentials(suite: Cluster, certificates: Certificates | None) -> grpc.ChannelCredentials:
    """TLS that trusts the suite, so that only the suite can refuse the connection."""
    assert suite.access is not None
    roots = suite.access.certificates.current.roots
    if certificates is None:
        return grpc.ssl_channel_credentials(roots)
    return grpc.ssl_channel_credentials(roots, certificates.key, certificates.chain)
