"""How many bytes each table of a database takes, with its indexes; pages that are free don't count.

Nothing may write meanwhile: PostgreSQL's sizes are those of files, which are read after a VACUUM.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing

import psycopg

_SQLITE = "sqlite:///"
_OF_SQLITE = """
    SELECT coalesce(schema.tbl_name, pages.name), sum(pages.pgsize)
    FROM dbstat AS pages LEFT JOIN sqlite_schema AS schema ON schema.name = pages.name
    GROUP BY 1
"""
_OF_POSTGRESQL = """
    SELECT relname, pg_total_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


def table_bytes(url: str) -> Mapping[str, int]:
    """The bytes of each table of the database at the URL, by name."""
    if url.startswith(_SQLITE):
        path = f"file:{url.removeprefix(_SQLITE)}?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as database:
            return dict(database.execute(_OF_SQLITE).fetchall())
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("VACUUM")
        return dict(server.execute(_OF_POSTGRESQL).fetchall())
