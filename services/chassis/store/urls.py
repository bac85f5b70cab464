"""Makes the dialect for a database URL: an SQLite file, or a database of a PostgreSQL server."""

import re

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import DatabaseSettingsError
from services.chassis.store.postgres import PostgresDialect
from services.chassis.store.sqlite import SqliteDialect, path_of

_SCHEME = re.compile(r"([A-Za-z0-9]+)(?:\+\w+)?://")
_PAIRS = re.compile(r"\s*\w+\s*=")


def dialect_of(url: str) -> Dialect:
    """The dialect for `url`; it does not connect yet.

    `url` is `sqlite:////path/file.db`, or what libpq takes: `postgresql://` or `postgres://` with
    one or several hosts and any of its parameters, or `host=... dbname=...`. A driver behind the
    scheme (`postgresql+psycopg://`) is ignored. Raises DatabaseSettingsError for any other URL.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        if _PAIRS.match(url):
            return PostgresDialect(url)
        # The message leaves the URL out because it may hold a password.
        raise DatabaseSettingsError("the database URL is not a URL")
    match scheme[1]:
        case "sqlite":
            return SqliteDialect(path_of(_sqlite_url(url)))
        case "postgresql" | "postgres":
            return PostgresDialect(f"postgresql://{url[scheme.end() :]}")
        case other:
            raise DatabaseSettingsError(f"{other} is not supported; use sqlite or postgresql")


def _sqlite_url(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError) as error:
        raise DatabaseSettingsError("the database URL is not a URL") from error
