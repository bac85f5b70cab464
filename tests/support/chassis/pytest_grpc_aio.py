"""pytest-grpc's fixtures over grpc.aio: the whole server stack on a free port, for one module.

The plugin starts a synchronous server of its own. These two fixtures replace its `grpc_server` and
`grpc_channel`, so that its `grpc_stub` works unchanged. A conftest writes

    from tests.support.chassis.pytest_grpc_aio import grpc_channel, grpc_server  # noqa: F401

and supplies two fixtures of module scope: `grpc_servicer`, the `Service` to serve, and
`grpc_stub_cls`. Tests that use them run on the loop of their module:

    pytestmark = pytest.mark.asyncio(loop_scope="module")

All tests of a module share one server, so give each test its own ids and SKUs.
"""

import random
from collections.abc import AsyncIterator

import grpc
import pytest_asyncio

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import RunningServer, running
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grpc_server(grpc_servicer: Service) -> AsyncIterator[RunningServer]:
    """Serve the service behind the server stack, until the last test of the module has ended."""
    clock = SystemClock()
    rng = random.Random(0)
    async with running(
        grpc_servicer,
        settings=ServerSettings(port=0, drain_s=0, stop_grace_s=1),
        clock=clock,
        ids=IdFactory(clock=clock, rng=rng),
        rng=rng,
    ) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grpc_channel(grpc_server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    """Open a plain channel, without our client's rules, so that tests see the server's answers."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_server.port}") as channel:
        yield channel
