"""The shop on each kind of database."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.store.databases import KINDS, Databases, databases_of
from tests.support.store.shop_database import Shop, opened_shop


@pytest.fixture(params=KINDS)
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """The databases of one test; the test runs once for each kind."""
    with databases_of(request.param, lambda: request.getfixturevalue("postgres_pool")) as found:
        yield found


@pytest.fixture
async def shop(databases: Databases) -> AsyncIterator[Shop]:
    """A shop with the rows with which one begins."""
    async with opened_shop(databases) as opened:
        yield opened
