"""Upgrades tables to the newest revisions of the chassis and of a service, in one transaction."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from services.chassis.store.errors import WrongTablesError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.schema import compatibility
from services.chassis.store.schema.revision_files import read_revisions

_ENVIRONMENT = CHASSIS_VERSIONS.parent / "migration_environment"

# Where Alembic records the newest revision that has run, of each branch.
_TABLE = "alembic_version"
_RECORDED = text(f"SELECT version_num FROM {_TABLE}")  # noqa: S608 - a constant

# Alembic's `op` and `context` are global to the process, and tests run several services in one.
_ALEMBIC = threading.Lock()

_STAMP_EPOCH = text("UPDATE event_counter SET epoch = :epoch WHERE epoch = ''")


def upgrade(connection: Connection, versions: Path, *, epoch: str = "first") -> frozenset[str]:
    """Run the revisions of the chassis and of the folder `versions` that have not run yet.

    Returns the revisions that a newer version has run; then nothing is changed, because the tables
    are as that version needs them, and it says that this one can use them, too.

    Call it as a write, under the writers' lock. It uses the caller's transaction, so a failing
    revision leaves nothing behind. A new event log gets the epoch `epoch`; an existing one keeps
    its own. Raises the errors of a revision, and WrongTablesError.
    """
    folders = sorted({CHASSIS_VERSIONS, versions})
    revisions = read_revisions(folders)
    found = _found(connection)
    newer = frozenset(found - revisions.followed.keys()) if revisions is not None else frozenset()
    if revisions is not None and newer:
        compatibility.expect_compatible(connection, revisions, found)
        return newer
    if revisions is None or found != revisions.newest:
        _run(connection, folders)
    if revisions is not None:
        compatibility.record(connection, revisions)
    connection.execute(_STAMP_EPOCH, {"epoch": epoch})
    return newer


def _found(connection: Connection) -> frozenset[str]:
    """The newest revisions that have run, found out without Alembic; none in an empty database."""
    if not inspect(connection).has_table(_TABLE):
        return frozenset()
    return frozenset(connection.execute(_RECORDED).scalars())


def _run(connection: Connection, folders: Sequence[Path]) -> None:
    """Let Alembic run the revisions. It is imported only if there is something to run."""
    with _ALEMBIC:
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_ENVIRONMENT))
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", os.pathsep.join(map(str, folders)))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "heads")
        except CommandError as error:
            raise WrongTablesError(str(error)) from error
