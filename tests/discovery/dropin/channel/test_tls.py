"""TLS checks the same name as in grpc, and a call that fails by it says so."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

import discovery
from discovery import blocking
from scripts.tools.paths import ROOT
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.dropin.awaitable_channel import AwaitableChannel
from tests.support.discovery.dropin.comparison import Both, Driver
from tests.support.discovery.dropin.remote_server import RemoteServer
from tests.support.discovery.dropin.scripted_server import path, scripted_server

_TLS = ROOT / "tests/support/discovery/tls"
# Its only name is "probe".
CERTIFICATE = (_TLS / "probe.crt").read_bytes()
KEY = (_TLS / "probe.key").read_bytes()

AIO = Driver(grpc.aio.secure_channel, discovery.open_channel)
BLOCKING = Driver(
    lambda *args, **keywords: AwaitableChannel(grpc.secure_channel(*args, **keywords)),
    lambda *args, **keywords: AwaitableChannel(blocking.open_channel(*args, **keywords)),
)


@pytest.fixture(params=[AIO, BLOCKING], ids=["aio", "blocking"])
def both(background: Background, request: Any) -> Iterator[Both]:
    """Runs a program with grpc's channel and ours to a server that speaks TLS."""
    credentials = grpc.ssl_server_credentials([(KEY, CERTIFICATE)])
    with background.entered(scripted_server(credentials=credentials)) as running:
        yield Both(RemoteServer(running, background), request.param)


def arguments(name: str) -> dict[str, Any]:
    """What opens a channel that expects this name in the certificate."""
    return {
        "credentials": grpc.ssl_channel_credentials(CERTIFICATE),
        "options": [("grpc.ssl_target_name_override", name)],
    }


@pytest.mark.parametrize(
    ("kind", "method", "request_"),
    [
        ("unary_unary", "Unary", b"."),
        ("stream_unary", "Requests", [b"."]),
    ],
)
async def test_the_option_names_whom_to_expect(
    both: Both, kind: str, method: str, request_: Any
) -> None:
    """`grpc.ssl_target_name_override` replaces the address, in the check and for the server."""

    async def program(channel: Any, _: Any) -> Any:
        return await getattr(channel, kind)(path(method))(request_)

    await both(program, **arguments("probe"))


async def test_another_name_than_the_certificates(both: Both) -> None:
    """The call fails with UNAVAILABLE, and its details name the check that failed."""

    async def program(channel: Any, _: Any) -> Any:
        with pytest.raises(grpc.RpcError) as failed:
            await channel.unary_unary(path("Unary"))(b".", timeout=20)
        error: Any = failed.value
        return error.code(), "Hostname Verification Check failed" in error.details()

    await both(program, **arguments("other"))
