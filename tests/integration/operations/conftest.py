"""A small suite, of one instance of each service, that an operator works on."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.stubs import open_stubs
from tests.support.suite.breakable_suite import SETTINGS, BreakableSuite


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableSuite]:
    """On SQLite; the restore, which leaves books that don't balance, is the last one to use it."""
    async with (
        cluster.running(
            tmp_path_factory.mktemp("operated"),
            instances=1,
            clock=SystemClock(),
            rng=random.Random(1),
            environment={**SETTINGS, "TRADEPOST_DRAIN_S": "0.2"},
        ) as running,
        open_stubs(running) as stubs,
    ):
        yield BreakableSuite(running, stubs)
