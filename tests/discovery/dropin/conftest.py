"""The two channels that are compared, and their server."""

from collections.abc import AsyncIterator

import pytest

from tests.support.discovery.dropin.comparison import Both
from tests.support.discovery.dropin.scripted_server import ScriptedServer, scripted_server


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """One server for both."""
    async with scripted_server() as running:
        yield running


@pytest.fixture
def both(server: ScriptedServer) -> Both:
    """Runs a program against both."""
    return Both(server)
