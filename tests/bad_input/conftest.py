"""Fixtures of the tests of bad input: a running suite with sample orders."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest_asyncio

from tests.support.bad_input.random_requests import KnownIds
from tests.support.bad_input.sample_orders import add_sample_orders, ids_of_orders
from tests.support.suite.suite_in_process import Suite, running_suite

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def suite() -> AsyncIterator[Suite]:
    """A suite with sample orders, in which nothing is pending."""
    with TemporaryDirectory(dir=_MEMORY) as folder:
        async with running_suite(Path(folder)) as suite:
            await add_sample_orders(suite)
            yield suite


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known_ids(suite: Suite) -> KnownIds:
    """The ids of the sample orders."""
    return await ids_of_orders(suite)
