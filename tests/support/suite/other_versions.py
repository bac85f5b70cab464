"""Other versions of the services: the last release, and one with newer tables than this checkout's.

`./scripts/run --roll-from` rolls whole suites; tests let some instances run another version.
"""

from pathlib import Path
from shutil import copytree, ignore_patterns

from scripts.releases.last_release import last_release
from scripts.releases.revision_checkout import (
    FOLDER,
    RevisionError,
    commit_of,
    needs_no_other_packages,
    unpack,
)
from scripts.suite.processes.slot import THIS_INSTALLATION, Installation
from scripts.tools.paths import ROOT
from services.chassis.store.schema.revision_files import read_revisions

NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{branch}_9999"
down_revision = "{newest}"
branch_labels = None
depends_on = None
compatible_from = "{newest}"


def upgrade():
    op.add_column("{table}", sa.Column("note", sa.String, nullable=False, server_default="none"))
"""
# The tables that the next version changes, in the chassis and in the order service.
CHANGED = {"chassis": "event", "order": "order_view"}


def last_release_here() -> Installation | None:
    """The last release; None if its commit or the packages that it needs are not here."""
    try:
        commit = commit_of(last_release().commit)
    except RevisionError:
        return None
    root = FOLDER / commit
    if not root.exists():
        unpack(commit, root)
    return Installation(root, THIS_INSTALLATION.python) if needs_no_other_packages(root) else None


def next_version(root: Path) -> Installation:
    """This checkout's services, with newer tables that this version can use."""
    copytree(ROOT / "services", root / "services", ignore=ignore_patterns("__pycache__"))
    for branch, table in CHANGED.items():
        folder = root / "services" / branch / "store" / "migrations"
        revisions = read_revisions([folder])
        assert revisions is not None
        (newest,) = revisions.newest
        text = NEXT_REVISION.format(branch=branch, newest=newest, table=table)
        (folder / "9999_next.py").write_text(text)
    return Installation(root, THIS_INSTALLATION.python)
