"""Which database a URL names: a file of SQLite, or a database of a PostgreSQL server."""

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import DatabaseSettingsError
from services.chassis.store.postgres import PostgresDialect
from services.chassis.store.sqlite import SqliteDialect, path_of


def dialect_of(url: str) -> Dialect:
    """How to talk to the database at `url`; connects to nothing yet.

    `sqlite:////path/file.db`, or `postgresql://user:password@host:port/database` with whatever
    else libpq takes as query parameters. Raises DatabaseSettingsError for any other URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Not in other words: the URL may hold a password.
        raise DatabaseSettingsError("the database URL is no URL") from error
    match parsed.get_backend_name():
        case "sqlite":
            return SqliteDialect(path_of(parsed))
        case "postgresql":
            return PostgresDialect(parsed)
        case other:
            raise DatabaseSettingsError(f"{other} is not supported, sqlite and postgresql are")
