"""What the tests of bad input share: a suite with a little of everything in it."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest_asyncio

from tests.support.bad_input.furnished_suite import furnish, ids_of_all
from tests.support.bad_input.random_messages import Known
from tests.support.suite.suite_in_process import Suite, running_suite

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def suite() -> AsyncIterator[Suite]:
    """A furnished suite, at rest."""
    with TemporaryDirectory(dir=_MEMORY) as folder:
        async with running_suite(Path(folder)) as suite:
            await furnish(suite)
            yield suite


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known_ids(suite: Suite) -> Known:
    """Of everything that there is when the first test asks."""
    return await ids_of_all(suite)
