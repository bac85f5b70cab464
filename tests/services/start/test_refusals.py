"""A setting that can't be right stops the start: one line with the variable, exit status 78."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from scripts.releases.released_tables import tables_sql
from scripts.suite.consul import free_ports
from scripts.suite.postgres import NOT_DURABLE, PostgresServer
from tests.support.suite.service_process import service_process

WRONG_SETTINGS = 78
SQLITE = "sqlite:///{folder}/db"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a PostgreSQL server that wants the password of the user `ada`."""
    folder = tmp_path_factory.mktemp("postgres")
    (port,) = free_ports(1)
    server = PostgresServer(
        folder / "data",
        log_file=folder / "log",
        settings=NOT_DURABLE | {"listen_addresses": "127.0.0.1", "port": str(port)},
    )
    server.start()
    host = server.url("postgres").partition("host=")[2]
    with psycopg.connect(
        f"postgresql://tradepost@/postgres?host={host}&port={port}", autocommit=True
    ) as connection:
        connection.execute("CREATE ROLE ada LOGIN PASSWORD 'right'")
        connection.execute("CREATE DATABASE orders OWNER ada")
    access = folder / "data" / "pg_hba.conf"
    access.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    with psycopg.connect(
        f"postgresql://tradepost@/postgres?host={host}&port={port}", autocommit=True
    ) as connection:
        connection.execute("SELECT pg_reload_conf()")
    yield port
    server.close()


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://ada:hunter2@127.0.0.1:{port}/orders", "password authentication failed"),
        ("postgresql://ada@127.0.0.1:{port}/orders", "no password supplied"),
        ("postgresql://ada:right@127.0.0.1:{port}/hunter2", "does not exist"),
        ("postgresql://ada:right@127.0.0.1:{port}/postgres", "permission denied"),
        ("postgresql://ada:right@127.0.0.1:{port}/orders?sslmode=require", "not support SSL"),
        ("postgresql://ada:right@127.0.0.1:{port}/orders?sslmode=maybe", "sslmode"),
        ("postgresql://ada:right@127.0.0.1:{port}/orders?sslmood=require", "sslmood"),
    ],
)
async def test_a_database_that_refuses_stops_the_start(port: int, url: str, cause: str) -> None:
    """The line names DATABASE_URL and what the server said, without the password."""
    environment = {"DATABASE_URL": url.format(port=port)}
    async with service_process("inventory", environment) as service:
        status = await service.end()

    line = service.lines[-1]
    assert (status, line["event"], line["level"]) == (WRONG_SETTINGS, "cannot_start", "error")
    assert line["setting"] == "DATABASE_URL"
    assert cause in line["cause"]
    assert "exception" not in line
    assert ":hunter2" not in str(line)


@pytest.mark.parametrize(
    ("service", "variable", "value", "cause"),
    [
        ("order", "TRADEPOST_SAGA_HOLD_TTL_S", "40", "TRADEPOST_SAGA_DEADLINE_S"),
        ("payment", "TRADEPOST_PROCESSOR_URL", "acme://key:secret@host", "no processor for acme:"),
        ("payment", "TRADEPOST_PROCESSOR_URL", "simulated:///no/p.db", "/no is not a folder"),
        ("notification", "TRADEPOST_NOTIFICATION_SENDER_URL", "pigeon://secret", "smtp://"),
        ("inventory", "TRADEPOST_LOG_LEVEL", "loud", "'loud'"),
        ("inventory", "DATABASE_URL", "sqlite:///{folder}", "unable to open database file"),
        ("inventory", "DATABASE_URL", "mysql://root:secret@host/db", "not supported"),
        ("inventory", "CONSUL_HTTP_ADDR", "unix:///run/consul", "host:port"),
    ],
)
async def test_a_wrong_setting_stops_the_start(
    tmp_path: Path, service: str, variable: str, value: str, cause: str
) -> None:
    """The line names the variable, not the field of a class, and repeats no secret."""
    environment = {
        "DATABASE_URL": SQLITE.format(folder=tmp_path),
        "TRADEPOST_PROCESSOR_URL": f"simulated://{tmp_path}/processor.db",
        "TRADEPOST_NOTIFICATION_SENDER_URL": f"file://{tmp_path}",
        "CONSUL_HTTP_ADDR": "127.0.0.1:1",
        "TRADEPOST_REGISTRY": "consul",
        variable: value.format(folder=tmp_path),
    }
    async with service_process(service, environment) as process:
        status = await process.end()

    line = process.lines[-1]
    assert (status, line["event"], line["setting"]) == (WRONG_SETTINGS, "cannot_start", variable)
    assert cause in line["cause"]
    assert "secret" not in str(line)


async def test_tables_that_need_a_newer_version_stop_the_start(tmp_path: Path) -> None:
    """The line names the revision of the tables, the oldest one that can use them, and its own."""
    url = SQLITE.format(folder=tmp_path)
    with closing(sqlite3.connect(tmp_path / "db")) as database:
        database.executescript(tables_sql("inventory"))
        database.execute("DELETE FROM alembic_version WHERE version_num LIKE 'inventory%'")
        database.execute("INSERT INTO alembic_version VALUES ('inventory_9999')")
        database.execute(
            "INSERT INTO schema_compatibility VALUES ('inventory_9999', 'inventory_9998')"
        )
        database.commit()
    async with service_process("inventory", {"DATABASE_URL": url}) as process:
        status = await process.end()

    line = process.lines[-1]
    assert (status, line["event"], line["setting"]) == (
        WRONG_SETTINGS,
        "cannot_start",
        "DATABASE_URL",
    )
    assert "at inventory_9999, which needs a version" in line["cause"]
    assert "knows inventory_9998; this one ends with chassis_" in line["cause"]


async def test_a_missing_variable_stops_the_start() -> None:
    """DATABASE_URL has no default."""
    async with service_process("inventory", {}) as process:
        status = await process.end()

    line = process.lines[-1]
    assert (status, line["setting"], line["cause"]) == (
        WRONG_SETTINGS,
        "DATABASE_URL",
        "must be set",
    )


async def test_a_service_that_listens_everywhere_asks_for_its_address(tmp_path: Path) -> None:
    """Callers can't dial 0.0.0.0, so the start asks for TRADEPOST_ADVERTISE_ADDRESS."""
    environment = {
        "DATABASE_URL": SQLITE.format(folder=tmp_path),
        "TRADEPOST_HOST": "0.0.0.0",
        "TRADEPOST_INSECURE": "yes",
        "TRADEPOST_REGISTRY": "consul",
    }
    async with service_process("inventory", environment) as process:
        status = await process.end()

    line = process.lines[-1]
    assert (status, line["setting"]) == (WRONG_SETTINGS, "TRADEPOST_ADVERTISE_ADDRESS")
    assert "TRADEPOST_HOST" in line["cause"]


async def test_a_port_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    """It is no wrong setting, because the port may become free: exit status 1."""
    environment = {"DATABASE_URL": SQLITE.format(folder=tmp_path)}
    async with service_process("inventory", environment) as first:
        port = (await first.line("serving"))["port"]
        taken = environment | {"TRADEPOST_PORT": str(port)}
        async with service_process("inventory", taken) as second:
            status = await second.end()

    line = second.lines[-1]
    assert (status, line["event"]) == (1, "cannot_start")
    assert "TRADEPOST_PORT" in line["setting"]
    assert f"cannot listen on 127.0.0.1:{port}" in line["cause"]
