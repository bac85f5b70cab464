"""The channels that are compared, and their server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.dropin.comparison import AIO, BLOCKING, Both
from tests.support.discovery.dropin.remote_server import RemoteServer
from tests.support.discovery.dropin.scripted_server import ScriptedServer, scripted_server


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    """The event loop of the server: a synchronous channel may block the test's own."""
    running = Background()
    yield running
    running.close()


@pytest.fixture
def server(background: Background) -> Iterator[ScriptedServer]:
    """The server of both channels."""
    with background.entered(scripted_server()) as running:
        yield RemoteServer(running, background)


@pytest.fixture(params=[AIO, BLOCKING], ids=["aio", "blocking"])
def both(server: ScriptedServer, request: Any) -> Both:
    """Runs a program with grpc's channel and ours, once asynchronous and once blocking."""
    return Both(server, request.param)


@pytest.fixture
def aio(server: ScriptedServer) -> Both:
    """Runs a program about what only asyncio has."""
    return Both(server, AIO)
