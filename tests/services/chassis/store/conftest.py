"""The store's tests run on each kind of database, and through PgBouncer."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.store.databases import KINDS, Databases, databases_of
from tests.support.store.pgbouncer import PooledDatabases, pgbouncer
from tests.support.store.postgres_pool import PostgresPool

PGBOUNCER = "pgbouncer"


@pytest.fixture(scope="session")
def pooled(request: pytest.FixtureRequest) -> Iterator[PooledDatabases]:
    """What makes databases behind one PgBouncer."""
    pool: PostgresPool = request.getfixturevalue("postgres_pool")
    with pgbouncer(pool.url("postgres")) as folder:
        yield PooledDatabases(pool, folder)


@pytest.fixture(params=(*KINDS, PGBOUNCER))
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """The databases of one test; the test runs once for each kind, and through PgBouncer."""
    with ExitStack() as stack:
        if request.param != PGBOUNCER:
            kind = databases_of(request.param, lambda: request.getfixturevalue("postgres_pool"))
            yield stack.enter_context(kind)
            return
        found: PooledDatabases = request.getfixturevalue("pooled")
        stack.callback(found.give_back)
        yield found
