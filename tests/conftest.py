"""What holds for every test: its databases, of both kinds, and how examples are tried."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from scripts.suite.postgres import NOT_DURABLE, PostgresServer
from tests.support.store.databases import KINDS, PATIENCE, Databases, databases_of, migrate
from tests.support.store.postgres_pool import PostgresPool

# Examples run beside whatever else a small machine does: a slow one is no fault of the code.
settings.register_profile("tradepost", deadline=None)
settings.load_profile("tradepost")


# A shell's background jobs ignore Ctrl-C, and so would the programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_TESTS = Path(__file__).parent
_OF_WHOLE_SUITES = ("integration", "scripts/benchmarks")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep a file's tests in one process, and in one all that start a suite of their own.

    Two suites at a time starve each other on two cores; beside tests of parts they don't.
    """
    file = item.path.relative_to(_TESTS)
    suite = str(file).startswith(_OF_WHOLE_SUITES)
    item.add_marker(pytest.mark.xdist_group("suites" if suite else str(file)))


@pytest.fixture(scope="session")
def postgres_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresPool]:
    """A real server for all tests; one that is to be stopped belongs to its test alone."""
    folder = tmp_path_factory.mktemp("postgres")
    settings = NOT_DURABLE | {"idle_in_transaction_session_timeout": PATIENCE}
    server = PostgresServer(folder / "data", log_file=folder / "log", settings=settings)
    server.start()
    yield PostgresPool(server, migrate)
    server.close()


@pytest.fixture(params=KINDS)
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """The databases of one test, which runs once for each kind."""
    with databases_of(request.param, lambda: _stock(request)) as found:
        yield found


@pytest.fixture(scope="module", params=KINDS)
def module_databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """The databases of a module, which runs once for each kind."""
    with databases_of(request.param, lambda: _stock(request)) as found:
        yield found


def _stock(request: pytest.FixtureRequest) -> PostgresPool:
    stock = request.getfixturevalue("postgres_pool")
    assert isinstance(stock, PostgresPool)
    return stock
