"""Which database URLs are taken: SQLite's, and everything that libpq takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from discovery.clock import SystemClock
from scripts.suite.consul import free_ports
from scripts.suite.postgres import NOT_DURABLE, PostgresServer
from services.chassis.store.database import Database, DatabaseSettingsError

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """A server on a socket, on IPv4 and on IPv6, and a port at which nothing listens."""
    folder = tmp_path_factory.mktemp("postgres")
    port, nothing = free_ports(2)
    settings = NOT_DURABLE | {"listen_addresses": "127.0.0.1,::1", "port": str(port)}
    server = PostgresServer(folder / "data", log_file=folder / "log", settings=settings)
    server.start()
    socket = server.url("postgres").partition("host=")[2]
    yield {
        "port": port,
        "nothing": nothing,
        "socket": socket,
        "encoded": socket.replace("/", "%2F"),
    }
    server.close()


@pytest.mark.parametrize(
    "form",
    [
        "postgresql://tradepost@127.0.0.1:{port}/postgres",
        "postgres://tradepost@127.0.0.1:{port}/postgres",
        "postgresql+psycopg://tradepost@127.0.0.1:{port}/postgres",
        "postgresql://tradepost@[::1]:{port}/postgres",
        "postgresql://tradepost@[::1]:{nothing},[::1]:{port}/postgres?target_session_attrs=read-write",
        "postgresql://tradepost@/postgres?host=127.0.0.1,127.0.0.1&port={nothing},{port}",
        "postgresql://tradepost@{encoded}:{port}/postgres?connect_timeout=5",
        "postgresql://tradepost:p%40ss@127.0.0.1:{port}/postgres?sslmode=prefer&options=-cjit%3Doff",
        "postgresql://tradepost@127.0.0.1:{port}/postgres?pooler=session&connect_timeout=5",
        "postgresql://tradepost@127.0.0.1:{port}/postgres?connect_timeout=5&pooler=transaction",
        "postgresql://tradepost@127.0.0.1:{port}/postgres?pooler=auto",
        "host={socket} pooler=session port={port} user=tradepost dbname=postgres",
        "host={socket} port={port} user=tradepost dbname=postgres",
        "host = '127.0.0.1' port={port} user=tradepost dbname=postgres",
    ],
)
async def test_what_libpq_takes_is_taken(places: dict[str, object], form: str) -> None:
    """All forms lead to the server, for the writer and for readers."""
    database = await Database.open(form.format(**places), clock=CLOCK, owner="test")
    query = text("SELECT current_user || '@' || current_database()")
    written = await database.write(lambda connection: connection.scalar(query))
    read = await database.read(lambda connection: connection.scalar(query))
    await database.close()

    assert written == read == "tradepost@postgres"


async def test_the_database_may_come_from_a_service_file(
    places: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider's pg_service.conf names host, port, user and database."""
    file = tmp_path / "pg_service.conf"
    file.write_text(
        f"[orders]\nhost=127.0.0.1\nport={places['port']}\nuser=tradepost\ndbname=postgres\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))

    database = await Database.open("postgresql:///?service=orders", clock=CLOCK, owner="test")
    name = await database.read(lambda connection: connection.scalar(text("SELECT current_user")))
    await database.close()

    assert name == "tradepost"


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://u:secret@h/db?sslmood=require", 'no parameter "sslmood"'),
        ("postgresql://u:secret@h:http/db", "port"),
        ("postgresql://u:secret%zz@h/db", "is no URL"),
        ("postgresql://u:secret@h", "must name the database"),
        ("host=h password=secret", "must name the database"),
        ("password=secret nonsense", "is no URL"),
        ("oracle://u:secret@h/db", "oracle is not supported"),
    ],
)
async def test_other_urls_are_refused_without_their_secrets(url: str, cause: str) -> None:
    """The error says what is wrong and repeats no password."""
    with pytest.raises(DatabaseSettingsError, match=cause) as refused:
        await Database.open(url, clock=CLOCK, owner="test")

    assert "secret" not in str(refused.value)
