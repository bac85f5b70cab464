"""Tables up to date: the chassis's revisions and the service's own, in one transaction.

Plain Alembic revision files, without an alembic.ini: the chassis's lie in this folder, a
service's in `services/<service>/migrations/`, with `branch_labels` naming the service and
`down_revision` None for its first.
"""

import os
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

CHASSIS_VERSIONS = Path(__file__).parent
_ENVIRONMENT = CHASSIS_VERSIONS.parent / "migration_environment"

# Alembic's `op` and `context` are names of the process, and a test runs several services in one.
_ALEMBIC = threading.Lock()

_STAMP_EPOCH = text("UPDATE event_counter SET epoch = :epoch WHERE epoch = ''")


def upgrade(connection: Connection, versions: Path, *, epoch: str = "first") -> None:
    """Run what is missing of the chassis's revisions and of those in the folder `versions`.

    Call it as a write, under the writers' lock: the transaction is the caller's, so a failing
    revision leaves nothing behind. A new event log gets `epoch` as its epoch; an existing one
    keeps its own. Raises what a revision raises, and alembic.util.CommandError.
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
