"""The databases of a run: a SQLite file, or a database on a PostgreSQL server, for each service."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.suite.postgres import PostgresServer

# The folder of the server's data, and the server's name in lists of processes.
SERVER = "postgres"


@asynccontextmanager
async def opened(
    folder: Path, services: Sequence[str], *, postgres: bool
) -> AsyncIterator[Mapping[str, str]]:
    """The DATABASE_URL of each service; its data are under `folder`/data.

    With `postgres` a server with default durability runs during the block, on the data of an
    earlier run where there are any. Raises RuntimeError with its log when it doesn't start.
    """
    data = folder / "data"
    if not postgres:
        yield {service: f"sqlite:///{data / service}.db" for service in services}
        return
    is_new = not (data / SERVER).exists()
    server = PostgresServer(data / SERVER, log_file=folder / "logs" / "postgres.log")
    try:
        # From this thread: the server ends with the thread that starts it.
        server.start()
        for service in services if is_new else ():
            await asyncio.to_thread(server.create_database, service)
        yield {service: server.url(service) for service in services}
    finally:
        await asyncio.to_thread(server.stop)
        server.close()


def server_processes(folder: Path) -> dict[str, list[int]]:
    """The process id of the PostgreSQL server under `folder`, by name; empty where none runs."""
    try:
        pid_file = (folder / "data" / SERVER / "postmaster.pid").read_text()
    except FileNotFoundError:
        return {}
    return {SERVER: [int(pid_file.split()[0])]}
