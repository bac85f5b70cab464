"""An idle process holds no library in memory that it never uses."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from scripts.suite.cluster import SERVICES
from scripts.suite.web.applications import INSTANCES
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.store.databases import POSTGRESQL, Databases
from tests.support.suite.service_process import service_process

OPENTELEMETRY = frozenset({"opentelemetry.sdk", "opentelemetry.exporter", "prometheus_client"})
POSTGRESQL_DRIVER = frozenset({"psycopg", "psycopg_binary"})
# Migrations come with their templates.
MIGRATIONS = frozenset({"alembic", "mako"})
DATABASE = frozenset({"sqlalchemy", *MIGRATIONS, *POSTGRESQL_DRIVER})
# Also certificates and tokens, mail servers, and commands of an operator.
UNUSED = frozenset(
    {*MIGRATIONS, *OPENTELEMETRY, "cryptography", "jwt", "aiosmtplib", "services.order.rebuild"}
)


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests in this file."""
    with consul_agent() as running:
        yield running


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_loads_only_what_it_uses(
    tmp_path: Path, agent: ConsulAgent, databases: Databases, service: str
) -> None:
    """On migrated tables and with the default settings, each saves tens of megabytes."""
    tables = importlib.import_module(f"services.{service}.store.tables")
    environment = {
        "DATABASE_URL": await databases.migrated(tables.MIGRATIONS, service),
        "CONSUL_HTTP_ADDR": agent.address,
        "TRADEPOST_REGISTRY": "consul",
        "TRADEPOST_PROCESSOR_URL": f"simulated://{tmp_path}/processor.db",
        "TRADEPOST_NOTIFICATION_SENDER_URL": f"file://{tmp_path}",
        # Python writes a line for each module that it loads.
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    log = tmp_path / "imports"
    async with service_process(service, environment, log=log) as process:
        await process.line("serving")
        await process.stop()

    loaded = loaded_modules(log)
    assert {"sqlalchemy", "consul", f"services.{service}.service"} <= loaded
    assert UNUSED & loaded == set()
    assert POSTGRESQL_DRIVER & loaded == (
        POSTGRESQL_DRIVER if databases.kind == POSTGRESQL else set()
    )


@pytest.mark.parametrize("application", INSTANCES)
async def test_shop_and_console_load_no_database(
    tmp_path: Path, agent: ConsulAgent, application: str
) -> None:
    """They keep nothing, so what the services' store stands on would be there for nothing."""
    environment = {
        "CONSUL_HTTP_ADDR": agent.address,
        "TRADEPOST_REGISTRY": "consul",
        "TRADEPOST_WEB_SESSION_KEYS": Fernet.generate_key().decode(),
        "TRADEPOST_LOGIN_ISSUER": "http://127.0.0.1:1",
        "TRADEPOST_LOGIN_CLIENT_ID": application,
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    log = tmp_path / "imports"
    async with service_process(application, environment, log=log) as process:
        await process.line("serving")
        await process.stop()

    loaded = loaded_modules(log)
    assert {"starlette", "consul", f"services.{application}.application"} <= loaded
    assert (DATABASE | OPENTELEMETRY) & loaded == set()


def loaded_modules(log: Path) -> set[str]:
    """The modules of a log of imports, whose lines end in `| a name`."""
    return {line.rpartition("|")[2].strip() for line in log.read_text().splitlines()}
