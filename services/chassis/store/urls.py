"""Makes the dialect for a database URL: an SQLite file, or a database of a PostgreSQL server."""

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import DatabaseSettingsError
from services.chassis.store.postgres import PostgresDialect
from services.chassis.store.sqlite import SqliteDialect, path_of


def dialect_of(url: str) -> Dialect:
    """The dialect for `url`; it does not connect yet.

    `url` is `sqlite:////path/file.db`, or `postgresql://user:password@host:port/database` with any
    parameters of libpq in its query. Raises DatabaseSettingsError for any other URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The message leaves the URL out because it may hold a password.
        raise DatabaseSettingsError("the database URL is not a URL") from error
    match parsed.get_backend_name():
        case "sqlite":
            return SqliteDialect(path_of(parsed))
        case "postgresql":
            return PostgresDialect(parsed)
        case other:
            raise DatabaseSettingsError(f"{other} is not supported; use sqlite or postgresql")
