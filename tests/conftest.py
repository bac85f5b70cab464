"""Settings and fixtures for all tests: databases of both kinds, and hypothesis' profile."""

import gc
import logging
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from scripts.suite.postgres import NOT_DURABLE, PostgresServer
from services.chassis.server.process import GC_THRESHOLDS
from tests.support.scheduling import pytest_xdist_make_scheduler
from tests.support.store.databases import (
    IDLE_TRANSACTION_TIMEOUT,
    KINDS,
    Databases,
    databases_of,
    migrate,
)
from tests.support.store.postgres_pool import PostgresPool

__all__ = ["pytest_xdist_make_scheduler"]

# Other programs run on the same small machine, so a slow example is not a failure.
settings.register_profile("tradepost", deadline=None)
settings.load_profile("tradepost")


# A shell's background jobs ignore SIGINT, and the programs that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let the garbage collector run as in a service: it skips thousands of tests that stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@pytest.fixture(scope="module", autouse=True)
def logging_of_the_process() -> Iterator[None]:
    """Undo what the tests of a file change in the logging of their process."""
    root, *own = (logging.getLogger(name) for name in ("", "discovery", "services"))
    levels = [(each, each.level) for each in (root, *own)]
    config = structlog.get_config() if structlog.is_configured() else None
    yield
    # To configure it with its defaults would keep servers of later files from configuring it.
    structlog.reset_defaults()
    if config is not None:
        structlog.configure(**config)
    for each, level in levels:
        each.setLevel(level)
    # Not pytest's own handlers, which are of other types.
    root.handlers[:] = [each for each in root.handlers if type(each) is not logging.StreamHandler]


@pytest.fixture(scope="session")
def postgres_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresPool]:
    """Databases of one server for all tests. A test that stops its server starts its own."""
    folder = tmp_path_factory.mktemp("postgres")
    settings = NOT_DURABLE | {"idle_in_transaction_session_timeout": IDLE_TRANSACTION_TIMEOUT}
    server = PostgresServer(folder / "data", log_file=folder / "log", settings=settings)
    server.start()
    yield PostgresPool(server, migrate)
    server.close()


@pytest.fixture(params=KINDS)
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """The databases of one test; the test runs once for each kind."""
    with databases_of(request.param, lambda: _pool(request)) as found:
        yield found


@pytest.fixture(scope="module", params=KINDS)
def module_databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """The databases of a test module; the module runs once for each kind."""
    with databases_of(request.param, lambda: _pool(request)) as found:
        yield found


def _pool(request: pytest.FixtureRequest) -> PostgresPool:
    pool = request.getfixturevalue("postgres_pool")
    assert isinstance(pool, PostgresPool)
    return pool
