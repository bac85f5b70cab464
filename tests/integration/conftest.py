"""A running suite for the tests that break it: a real Consul, two instances of each service."""

import random
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.stubs import open_stubs
from tests.support.store.databases import POSTGRESQL, SQLITE
from tests.support.suite import breakable_suite
from tests.support.suite.replay_program import kill_started


@pytest.fixture(autouse=True)
def no_replay_is_left() -> Iterator[None]:
    """A test that fails leaves no suite running."""
    yield
    kill_started()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def breakable(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[breakable_suite.BreakableSuite]:
    """A suite for the tests that break it; on SQLite, unless they choose another database.

    Its channels belong to the event loop of one module: grpc.aio's events for a loop that is closed
    can delay those for another loop that was idle meanwhile.
    """
    clock = SystemClock()
    kind = getattr(request, "param", SQLITE)
    async with (
        cluster.running(
            tmp_path_factory.mktemp("breakable"),
            instances=breakable_suite.INSTANCES,
            clock=clock,
            rng=random.Random(1),
            environment=breakable_suite.SETTINGS,
            postgres=kind == POSTGRESQL,
        ) as suite,
        open_stubs(suite) as stubs,
    ):
        yield breakable_suite.BreakableSuite(suite, stubs, kind)
