"""The echo service in the secure mode, and channels to it that show a certificate.

async with secure_echo(source) as server, channel_to(server, payment) as channel:
    assert await unary(channel)(StringValue(value="hi"))
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from discovery.clock import SystemClock
from discovery.registry.consul.intentions import ConsulIntentions
from discovery.registry.protocols import Registrar
from discovery.tls.certificates import Certificates, CertificateSource
from services.chassis.identity.security import Security
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import RunningServer, running
from services.chassis.server.settings import ServerSettings
from tests.support.chassis.echo_service import echo_service, path

SERVICE = "echo"


@asynccontextmanager
async def secure_echo(
    certificates: CertificateSource,
    *,
    intentions: ConsulIntentions | None = None,
    registrar: Registrar | None = None,
    reflection: bool | None = None,
    health_host: str = "127.0.0.1",
    **behaviors: Any,
) -> AsyncIterator[RunningServer]:
    """Serve `echo_service(**behaviors)` with certificates of the service "echo"."""
    clock, rng = SystemClock(), random.Random(7)
    background = () if intentions is None else (intentions.run,)
    async with running(
        echo_service(name=SERVICE, **behaviors),
        settings=ServerSettings(
            drain_s=0, stop_grace_s=2, reflection=reflection, health_host=health_host
        ),
        clock=clock,
        ids=IdFactory(clock=clock, rng=rng),
        rng=rng,
        registrar=registrar,
        security=Security(certificates, intentions, background),
    ) as server:
        yield server


def channel_to(server: RunningServer, shown: Certificates | None) -> grpc.aio.Channel:
    """Open a new connection that shows this certificate; without one it shows none."""
    own = (None, None, None) if shown is None else (shown.roots, shown.key, shown.chain)
    return grpc.aio.secure_channel(
        server.endpoint,
        grpc.ssl_channel_credentials(*own),
        options=[
            ("grpc.ssl_target_name_override", SERVICE),
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )


def unary(channel: grpc.aio.Channel, method: str = "Unary") -> Any:
    """A unary method of the echo service."""
    return channel.unary_unary(path(method), StringValue.SerializeToString, StringValue.FromString)


def unary_stream(channel: grpc.aio.Channel) -> Any:
    """The method of the echo service with a stream of responses."""
    return channel.unary_stream(
        path("UnaryStream"), StringValue.SerializeToString, StringValue.FromString
    )
