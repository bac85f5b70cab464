"""Opens the database of a service that starts: waits for its server, refuses wrong settings."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from discovery.clock import Clock
from services.chassis.environment import SettingError
from services.chassis.store.database import Database
from services.chassis.store.errors import (
    DatabaseSettingsError,
    StoreUnavailableError,
    WrongTablesError,
)
from services.chassis.store.silence import ANSWER_TIMEOUT_S
from services.chassis.telemetry import logs

if TYPE_CHECKING:
    from services.chassis.store.write_spans import WriteSpans

RETRY_S = 2.0
VARIABLE = "DATABASE_URL"


@asynccontextmanager
async def opened(
    url: str,
    versions: Path,
    *,
    clock: Clock,
    owner: str,
    readers: int = 2,
    timeout_s: float = ANSWER_TIMEOUT_S,
    spans: "WriteSpans | None" = None,
) -> AsyncIterator[Database]:
    """Open and migrate a service's database, as `prepared` does."""
    migrate = partial(_migrate, versions=versions)
    async with prepared(
        url,
        migrate,
        variable=VARIABLE,
        clock=clock,
        owner=owner,
        readers=readers,
        timeout_s=timeout_s,
        spans=spans,
    ) as database:
        yield database


@asynccontextmanager
async def prepared(
    url: str,
    prepare: Callable[[Database], Awaitable[None]],
    *,
    variable: str,
    clock: Clock,
    owner: str,
    readers: int,
    timeout_s: float = ANSWER_TIMEOUT_S,
    spans: "WriteSpans | None" = None,
) -> AsyncIterator[Database]:
    """Open a database and create its tables with `prepare`; close it when the block ends.

    While its server is not there, it tries again every two seconds and logs why, until it is
    cancelled. Raises SettingError with the environment variable `variable` for what time doesn't
    mend, such as a wrong password.
    """
    try:
        database = await Database.open(
            url, clock=clock, owner=owner, readers=readers, timeout_s=timeout_s, spans=spans
        )
    except DatabaseSettingsError as error:
        raise SettingError(variable, str(error)) from error
    try:
        while not await _is_prepared(database, prepare, variable):
            await clock.sleep(RETRY_S)
        yield database
    finally:
        await database.close()


async def _is_prepared(
    database: Database, prepare: Callable[[Database], Awaitable[None]], variable: str
) -> bool:
    try:
        await prepare(database)
    except StoreUnavailableError as error:
        cause = _text(error.__cause__ or error)
        if database.is_settings_fault(error):
            raise SettingError(variable, cause) from error
        logs.get_logger("store").warning(
            "waiting_for_database", setting=variable, cause=cause, retry_s=RETRY_S
        )
        return False
    except DBAPIError as error:
        cause = _text(error.orig or error)
        raise SettingError(variable, f"the tables cannot be created: {cause}") from error
    except WrongTablesError as error:
        raise SettingError(
            variable, f"the tables are of another version of the service: {_text(error)}"
        ) from error
    return True


async def _migrate(database: Database, versions: Path) -> None:
    newer = await database.migrate(versions)
    if newer:
        logs.get_logger("store").info("tables_of_newer_version", revisions=sorted(newer))


def _text(error: BaseException) -> str:
    """The text in one line; libpq's has several."""
    return " ".join(str(error).split())
