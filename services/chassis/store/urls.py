"""Makes the dialect for a database URL: an SQLite file, or a database of a PostgreSQL server.

PostgreSQL's driver takes 9 MB, so it is imported only where a URL is of PostgreSQL.
"""

import re
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from services.chassis.store.dialect import Dialect
from services.chassis.store.errors import DatabaseSettingsError
from services.chassis.store.sqlite import SqliteDialect, path_of

_SCHEME = re.compile(r"([A-Za-z0-9]+)(?:\+\w+)?://")
_PAIRS = re.compile(r"\s*\w+\s*=")
# The parameter of the URL that says what is between us and the server.
_POOLER = "pooler"
_POOLER_PARAMETER = re.compile(rf"(?P<before>[?&]|\s|^){_POOLER}=(?P<value>[^&\s]*)")
_POOLERS = ("auto", "session", "transaction")
_UNKNOWN_PARAMETER = re.compile(r'invalid (?:URI query parameter|connection option):? ("\w+")')


def dialect_of(url: str) -> Dialect:
    """The dialect for `url`; it does not connect yet.

    `url` is `sqlite:////path/file.db`, or what libpq takes: `postgresql://` or `postgres://` with
    one or several hosts and any of its parameters, or `host=... dbname=...`. A driver behind the
    scheme (`postgresql+psycopg://`) is ignored. Raises DatabaseSettingsError for any other URL.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        if _PAIRS.match(url):
            return _postgres(url)
        # The message leaves the URL out because it may hold a password.
        raise DatabaseSettingsError("the database URL is not a URL")
    match scheme[1]:
        case "sqlite":
            return SqliteDialect(path_of(_sqlite_url(url)))
        case "postgresql" | "postgres":
            return _postgres(f"postgresql://{url[scheme.end() :]}")
        case other:
            raise DatabaseSettingsError(f"{other} is not supported; use sqlite or postgresql")


def _sqlite_url(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError) as error:
        raise DatabaseSettingsError("the database URL is not a URL") from error


def _postgres(conninfo: str) -> Dialect:
    """The dialect for what libpq takes, which may also have our own parameter `pooler`."""
    from services.chassis.store.postgres import PostgresDialect  # noqa: PLC0415

    conninfo, pooler = _without_pooler(conninfo)
    return PostgresDialect(_parsed(conninfo), pooler=pooler)


def _without_pooler(conninfo: str) -> tuple[str, str]:
    """The text for libpq, which doesn't know our parameter, and its value."""
    found = _POOLER_PARAMETER.search(conninfo)
    if found is None:
        return conninfo, _POOLERS[0]
    if found["value"] not in _POOLERS:
        raise DatabaseSettingsError(
            f"the parameter {_POOLER} of the URL must be one of {', '.join(_POOLERS)}"
        )
    before, after = conninfo[: found.start()], conninfo[found.end() :]
    is_first = found["before"] == "?"
    return before + (f"?{after[1:]}" if is_first and after else after), found["value"]


def _parsed(conninfo: str) -> dict[str, Any]:
    """The parameters of a URL or of pairs. Raises DatabaseSettingsError, without a secret."""
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    from psycopg.pq import Conninfo  # noqa: PLC0415

    try:
        given = conninfo_to_dict(conninfo)
    except ProgrammingError as error:
        unknown = _UNKNOWN_PARAMETER.search(str(error))
        cause = f"libpq has no parameter {unknown[1]}" if unknown else "the database URL is no URL"
        raise DatabaseSettingsError(cause) from None
    ports = str(given.get("port") or "").split(",")
    if not all(port.isdigit() or not port for port in ports):
        raise DatabaseSettingsError("the port of the database URL is no number")
    defaults = {each.keyword for each in Conninfo.get_defaults() if each.val}
    if not given.keys() & {"dbname", "service"} and not defaults & {b"dbname", b"service"}:
        raise DatabaseSettingsError("the URL of a PostgreSQL database must name the database")
    return given
