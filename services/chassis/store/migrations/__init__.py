"""Upgrades tables to the newest revisions of the chassis and of a service, in one transaction.

Revisions are plain Alembic files without an alembic.ini. The chassis's are in this folder, a
service's in `services/<service>/store/migrations/`; a service's first revision has `branch_labels`
with the service's name and `down_revision` None.
"""

import os
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

CHASSIS_VERSIONS = Path(__file__).parent
_ENVIRONMENT = CHASSIS_VERSIONS.parent / "migration_environment"

# Alembic's `op` and `context` are global to the process, and tests run several services in one.
_ALEMBIC = threading.Lock()

_STAMP_EPOCH = text("UPDATE event_counter SET epoch = :epoch WHERE epoch = ''")


def upgrade(connection: Connection, versions: Path, *, epoch: str = "first") -> None:
    """Run the revisions of the chassis and of the folder `versions` that have not run yet.

    Call it as a write, under the writers' lock. It uses the caller's transaction, so a failing
    revision leaves nothing behind. A new event log gets the epoch `epoch`; an existing one keeps
    its own. Raises the errors of a revision, and alembic.util.CommandError.
    """
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("path_separator", "os")
    folders = sorted({str(CHASSIS_VERSIONS), str(versions)})
    config.set_main_option("version_locations", os.pathsep.join(folders))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "heads")
    connection.execute(_STAMP_EPOCH, {"epoch": epoch})
