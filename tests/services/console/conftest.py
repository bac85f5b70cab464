"""A suite of real processes with a console in front of it, for the tests of one file."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from scripts.suite import cluster
from scripts.suite.stubs import open_stubs
from tests.support.console.running_console import Visitor, running_console, visitor
from tests.support.suite import breakable_suite
from tests.support.suite.breakable_suite import BreakableSuite


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableSuite]:
    """One instance of each service."""
    async with (
        cluster.running(
            tmp_path_factory.mktemp("suite"),
            instances=1,
            clock=breakable_suite.CLOCK,
            rng=random.Random(1),
            environment={**breakable_suite.SETTINGS, "TRADEPOST_SAGA_REVIEW_AFTER_S": "1"},
        ) as running,
        open_stubs(running) as stubs,
    ):
        yield BreakableSuite(running, stubs)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console_url(suite: BreakableSuite) -> AsyncIterator[str]:
    """Where the console is."""
    async with running_console(suite.cluster) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def olga(console_url: str) -> AsyncIterator[Visitor]:
    """An operator."""
    async with visitor(console_url) as person:
        yield person
