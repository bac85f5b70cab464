"""Instances are dialled directly unless the options of a channel ask for a proxy."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from discovery import blocking
from discovery.cli.main import main
from tests.support.discovery.probe_service import SERVING, Open, Probe, Start, path


class Proxy:
    """An HTTP proxy that connects nobody and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note the first line of a request and refuse it."""
        self.asked.put_nowait((await reader.readline()).decode().strip())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """The proxy that the environment names."""
    running = Proxy()
    server = await asyncio.start_server(running.handle, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name in ("no_proxy", "no_grpc_proxy", "grpc_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", running.url)
    async with server:
        yield running


def ask_blocking(probe: Probe) -> bytes:
    """Make a call through the blocking driver."""
    with blocking.open_channel(f"static:///{probe.address}") as channel:
        answer: bytes = channel.unary_unary(path("Get"))(b"y")
        return answer


async def test_the_environment_s_proxy_is_not_used(
    start: Start, open_to: Open, proxy: Proxy
) -> None:
    """Calls and health of both drivers, and the commands, go past the proxy."""
    server = await start("a", health=SERVING)

    assert await open_to(server).unary_unary(path("Get"))(b"x") == b"a:x"
    assert await asyncio.to_thread(ask_blocking, server) == b"a:y"
    assert await asyncio.to_thread(main, ["explain", f"static:///{server.address}"]) == 0
    assert proxy.asked.empty()


async def test_resolve_asks_an_instance_directly(
    start: Start, proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    """`resolve` reports the health that a caller of the instance sees."""
    server = await start("a", health=SERVING)

    assert await asyncio.to_thread(main, ["resolve", f"static:///{server.address}"]) == 0

    assert " SERVING" in capsys.readouterr().out
    assert proxy.asked.empty()


@pytest.mark.parametrize("named", [True, False])
async def test_options_may_ask_for_a_proxy(
    start: Start, open_to: Open, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    """Either for one that they name, or for the environment's."""
    server = await start("a")
    options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", 1)]
    if named:
        monkeypatch.delenv("http_proxy")
        options = [("grpc.http_proxy", proxy.url)]

    open_to(server, options=options).get_state(try_to_connect=True)

    asked = await asyncio.wait_for(proxy.asked.get(), 60)
    assert asked.startswith(f"CONNECT {server.address} ")
