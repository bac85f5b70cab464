"""A PostgreSQL primary and its streaming standby, which can be promoted.

with server_pair(folder) as pair:
    pair.catch_up()
    pair.standby.promote()
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from scripts.suite.postgres import NOT_DURABLE, USER, PostgresServer

DATABASE = "shop"


@dataclass(frozen=True)
class ServerPair:
    """Both servers have the database `shop`."""

    primary: PostgresServer
    standby: PostgresServer

    @property
    def primary_url(self) -> str:
        """The database on the primary."""
        return self.primary.url(DATABASE)

    @property
    def standby_url(self) -> str:
        """The database on the standby."""
        return self.standby.url(DATABASE)

    def catch_up(self) -> None:
        """Wait until the standby has all that the primary committed."""
        with (
            psycopg.connect(self.primary_url, autocommit=True) as primary,
            psycopg.connect(self.standby_url, autocommit=True) as standby,
        ):
            end = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
            assert end is not None
            while standby.execute("SELECT pg_last_wal_replay_lsn() >= %s", end).fetchone() != (
                True,
            ):
                pass

    def promote(self) -> None:
        """Make the standby a primary, whatever the former one does; return once it is."""
        with psycopg.connect(self.standby_url, autocommit=True) as standby:
            assert standby.execute("SELECT pg_promote()").fetchone() == (True,)


@contextmanager
def server_pair(folder: Path) -> Iterator[ServerPair]:
    """Start both servers, with their data below `folder`."""
    primary = PostgresServer(
        folder / "primary", log_file=folder / "primary.log", settings=NOT_DURABLE
    )
    primary.start()
    primary.create_database(DATABASE)
    host = make_url(primary.url(DATABASE)).query["host"]
    primary.stop()
    _copy(folder / "primary", folder / "standby")
    primary.start()
    following = NOT_DURABLE | {"primary_conninfo": f"host={host} user={USER}"}
    standby = PostgresServer(
        folder / "standby", log_file=folder / "standby.log", settings=following
    )
    standby.start()
    try:
        yield ServerPair(primary, standby)
    finally:
        standby.close()
        primary.close()


def _copy(data: Path, copy: Path) -> None:
    shutil.copytree(data, copy)
    (copy / "standby.signal").touch()
    owner = data.stat()
    for path in (copy, *copy.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
