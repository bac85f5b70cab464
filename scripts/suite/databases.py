"""Where the services of a run keep their data: a file each, or a database each of one server."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.suite.postgres import PostgresServer

# The folder of a server's data, and its name among processes.
SERVER = "postgres"


@asynccontextmanager
async def opened(
    folder: Path, services: Sequence[str], *, postgres: bool
) -> AsyncIterator[Mapping[str, str]]:
    """The DATABASE_URL of each service, its data under `folder`/data.

    A PostgreSQL server, as durable as it comes, runs for as long as the block, on the data that
    an earlier one left there. Raises RuntimeError with its log where it doesn't start.
    """
    data = folder / "data"
    if not postgres:
        yield {service: f"sqlite:///{data / service}.db" for service in services}
        return
    is_new = not (data / SERVER).exists()
    server = PostgresServer(data / SERVER, log_file=folder / "logs" / "postgres.log")
    try:
        # From this thread, whose end would be the server's.
        server.start()
        for service in services if is_new else ():
            await asyncio.to_thread(server.create_database, service)
        yield {service: server.url(service) for service in services}
    finally:
        await asyncio.to_thread(server.stop)
        server.close()


def server_processes(folder: Path) -> dict[str, list[int]]:
    """The server that runs under `folder`, by its name: one process, or none where none runs."""
    try:
        note = (folder / "data" / SERVER / "postmaster.pid").read_text()
    except FileNotFoundError:
        return {}
    return {SERVER: [int(note.split()[0])]}
