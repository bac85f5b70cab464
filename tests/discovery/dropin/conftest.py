"""The two channels that are compared, and their server."""

from collections.abc import AsyncIterator

import pytest

from tests.support.discovery.dropin.comparison import Both
from tests.support.discovery.dropin.scripted_server import ScriptedServer, scripted_server


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """The server of both channels."""
    async with scripted_server() as running:
        yield running


@pytest.fixture
def both(server: ScriptedServer) -> Both:
    """Runs a program with both channels."""
    return Both(server)
