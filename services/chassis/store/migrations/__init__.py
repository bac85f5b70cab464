"""Upgrades tables to the newest revisions of the chassis and of a service, in one transaction.

Revisions are plain Alembic files without an alembic.ini. The chassis's are in this folder, a
service's in `services/<service>/store/migrations/`; a service's first revision has `branch_labels`
with the service's name and `down_revision` None.
"""

import os
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from services.chassis.store.errors import WrongTablesError

CHASSIS_VERSIONS = Path(__file__).parent
_ENVIRONMENT = CHASSIS_VERSIONS.parent / "migration_environment"

# Where Alembic records the newest revision that has run, of each branch.
_TABLE = "alembic_version"
_RECORDED = text(f"SELECT version_num FROM {_TABLE}")  # noqa: S608 - a constant
_NOT_REVISIONS = ("__init__", ".#")
_REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_DOWN_REVISION = re.compile(r'^down_revision = (?:"(\w+)"|None)$', re.MULTILINE)

# Alembic's `op` and `context` are global to the process, and tests run several services in one.
_ALEMBIC = threading.Lock()

_STAMP_EPOCH = text("UPDATE event_counter SET epoch = :epoch WHERE epoch = ''")


def upgrade(connection: Connection, versions: Path, *, epoch: str = "first") -> None:
    """Run the revisions of the chassis and of the folder `versions` that have not run yet.

    Call it as a write, under the writers' lock. It uses the caller's transaction, so a failing
    revision leaves nothing behind. A new event log gets the epoch `epoch`; an existing one keeps
    its own. Raises the errors of a revision, and WrongTablesError.
    """
    folders = sorted({CHASSIS_VERSIONS, versions})
    if not _are_newest(connection, folders):
        _run(connection, folders)
    connection.execute(_STAMP_EPOCH, {"epoch": epoch})


def newest_of(folders: Iterable[Path]) -> set[str]:
    """Return the revisions that no other one follows; none if a file is written in another way."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for file in _files(folders):
        source = file.read_text(encoding="utf-8")
        own, before = _REVISION.findall(source), _DOWN_REVISION.findall(source)
        if len(own) != 1 or len(before) != 1:
            return set()
        revisions.update(own)
        followed.update(before)
    return revisions - followed


def _are_newest(connection: Connection, folders: Iterable[Path]) -> bool:
    """Whether exactly the newest revisions are recorded, found out without Alembic.

    Alembic takes 10 MB that stay until the process ends, and most starts find migrated tables.
    Whatever can't be read here is left to it, and so are tables of another version.
    """
    newest = newest_of(folders)
    if not newest or not inspect(connection).has_table(_TABLE):
        return False
    return set(connection.execute(_RECORDED).scalars()) == newest


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    """The files that Alembic takes for revisions."""
    for folder in folders:
        yield from (
            file for file in folder.glob("*.py") if not file.name.startswith(_NOT_REVISIONS)
        )


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
