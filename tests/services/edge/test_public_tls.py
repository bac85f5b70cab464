"""The public listener over TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from discovery.tls.certificates import Certificates
from scripts.suite.consul import free_ports
from services.edge.control_plane.envoy_publisher import CertificateSources
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.discovery.consul_agent import consul_agent
from tests.support.edge.answering_server import AnsweringServer, answering_server
from tests.support.edge.running_edge import (
    RunningEdge,
    instance_at,
    program_environment,
    running_edge,
)
from tests.support.limits import WAIT_S
from tests.support.suite.programs import ProgramResult, run
from tests.support.suite.service_process import ServiceProcess, service_process

AUTHORITY = Authority()
NAME = "localhost"
ROTATIONS = 10
# CURLE_SSL_CONNECT_ERROR
NO_TLS = 35


@pytest_asyncio.fixture
async def order() -> AsyncIterator[AnsweringServer]:
    async with answering_server("") as server:
        yield server


@pytest.fixture
def shown() -> MemoryCertificates:
    """What callers are shown."""
    return MemoryCertificates(AUTHORITY.issue(NAME))


@pytest_asyncio.fixture
async def edge(
    order: AnsweringServer, shown: MemoryCertificates, tmp_path: Path
) -> AsyncIterator[RunningEdge]:
    certificates = CertificateSources(to_callers=shown)
    instances = [instance_at("order", order.endpoint)]
    async with running_edge(tmp_path, instances, certificates=certificates) as edge:
        yield edge


@pytest.mark.parametrize(("option", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
async def test_http_over_tls(edge: RunningEdge, tmp_path: Path, option: str, version: str) -> None:
    """curl, which checks the certificate, agrees with the edge on either version of HTTP."""
    result = await _curl(edge, tmp_path, option, "-w", "%{http_version} %{http_code}")

    assert (result.code, result.out) == (0, f"{{}}{version} 200")


async def test_grpc_over_tls(edge: RunningEdge) -> None:
    """A gRPC client with the authority's certificate is served."""
    assert await _call(edge.channel) == b""


async def test_a_caller_without_tls_is_not_served(edge: RunningEdge) -> None:
    """The port speaks TLS only."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{edge.settings.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _call(channel)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_caller_with_an_old_tls_is_not_served(edge: RunningEdge, tmp_path: Path) -> None:
    """curl that speaks TLS 1.1 at most, and takes any cipher for it, gets no connection."""
    old = ("--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0")

    result = await _curl(edge, tmp_path, *old)

    assert result.code == NO_TLS
    assert "alert protocol version" in result.err


async def test_a_new_certificate_ends_nothing(edge: RunningEdge, shown: MemoryCertificates) -> None:
    """Calls on an open connection go on, and each new connection works and soon shows it."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        load = group.create_task(_call_until(stop, edge.channel))
        for _ in range(ROTATIONS):
            shown.rotate(AUTHORITY.issue(NAME))
            await _until_served(edge.settings.port, shown.current)
        stop.set()

    assert load.result() > 0
    assert edge.channel.get_state() is grpc.ChannelConnectivity.READY


async def test_the_files_are_read_again(order: AnsweringServer, tmp_path: Path) -> None:
    """The program shows the certificate of its files, and a new pair once both are written."""
    first, second = AUTHORITY.issue(NAME), AUTHORITY.issue(NAME)
    chain, key = tmp_path / "public.crt", tmp_path / "public.key"
    chain.write_bytes(first.chain)
    key.write_bytes(first.key)
    (port,) = free_ports(1)
    with consul_agent() as consul:
        environment = program_environment(
            consul.address,
            port,
            TRADEPOST_EDGE_CERTIFICATE_FILE=str(chain),
            TRADEPOST_EDGE_KEY_FILE=str(key),
        )
        async with service_process("edge", environment) as edge:
            await edge.line("envoy_started")
            await _until_served(port, first)
            chain.write_bytes(second.chain)
            await _until_logged(edge, "isn't that of the certificate")
            assert await _served_certificate(port, _context()) == _der(first)
            key.write_bytes(second.key)
            await _until_served(port, second)
            assert await edge.stop() == 0


async def _curl(edge: RunningEdge, folder: Path, *options: str) -> ProgramResult:
    """Read an order with curl, which knows the authority."""
    (folder / "ca.crt").write_bytes(AUTHORITY.roots)
    url = f"https://{NAME}:{edge.settings.port}/v1/orders/ord_1"
    return await run("curl", "-sS", "--cacert", folder / "ca.crt", *options, url)


async def _until_logged(edge: ServiceProcess, text: str) -> None:
    while text not in (await edge.line_at("warning")).get("message", ""):
        pass


async def _until_served(port: int, certificates: Certificates) -> None:
    """Connect, again and again, until this certificate is shown."""
    async with asyncio.timeout(WAIT_S):
        while await _served_certificate(port, _context()) != _der(certificates):
            pass


async def _served_certificate(port: int, context: ssl.SSLContext) -> bytes:
    """The certificate of a new connection, in DER; empty if nobody listens."""
    try:
        _, writer = await asyncio.open_connection(NAME, port, ssl=context)
    except ConnectionRefusedError:
        return b""
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return bytes(certificate)
    finally:
        writer.close()


def _context() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AUTHORITY.roots.decode())


def _der(certificates: Certificates) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificates.chain.decode())


async def _call(channel: grpc.aio.Channel) -> bytes:
    call = channel.unary_unary("/tradepost.order.v1.OrderService/GetOrder")
    answer: bytes = await call(b"", timeout=WAIT_S)
    return answer


async def _call_until(stop: asyncio.Event, channel: grpc.aio.Channel) -> int:
    """Call one after the other; return the number. Raises AioRpcError when a call fails."""
    number = 0
    while not stop.is_set():
        await _call(channel)
        number += 1
    return number
