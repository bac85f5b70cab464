"""The last release and this version can use a database at the same time, and in turn."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copytree

import pytest
from sqlalchemy import create_engine

from scripts.releases.last_release import FOLDER, tables_file
from scripts.releases.released_tables import services, tables_sql, unusable_for_release
from scripts.tools.paths import ROOT
from services.chassis.store.schema.upgrade import upgrade

# A service that is newer than the release has no tables in it.
RELEASED = [service for service in services() if tables_file(service).exists()]
NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "order_9999"
down_revision = "{newest}"
branch_labels = None
depends_on = None
{declaration}


def upgrade():
    {change}
"""
COMPATIBLE = 'compatible_from = "{newest}"'
GIFT = 'op.add_column("order_view", sa.Column("gift", sa.Boolean, {column}))'


@pytest.mark.parametrize("service", RELEASED)
def test_instances_of_the_last_release_can_use_the_tables_of_today(service: str) -> None:
    """Each revision since the release says so, and what the release writes is taken.

    So a release is rolled out, and back, while both serve. A change that breaks the release waits
    for the next one: expand first, contract later.
    """
    assert list(unusable_for_release(service)) == []


@pytest.mark.parametrize("service", RELEASED)
def test_the_tables_of_the_last_release_become_those_of_today(service: str, tmp_path: Path) -> None:
    """An upgraded database has the same tables and indexes as a new one."""
    file = tmp_path / "released.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(tables_file(service).read_text())
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        upgrade(connection, ROOT / "services" / service / "store" / "migrations")
    engine.dispose()

    with (
        closing(sqlite3.connect(file)) as upgraded,
        closing(sqlite3.connect(":memory:")) as new,
    ):
        new.executescript(tables_sql(service))
        assert sorted(structure(upgraded)) == sorted(structure(new))


@pytest.mark.parametrize(
    ("change", "declaration", "reason"),
    [
        (GIFT.format(column="nullable=True"), COMPATIBLE, None),
        (GIFT.format(column="nullable=True"), "", "order_9999 needs instances that know"),
        (
            GIFT.format(column='nullable=False, server_default=sa.text("0")'),
            COMPATIBLE,
            None,
        ),
        (
            'op.execute("CREATE UNIQUE INDEX one_order ON order_view (customer_id)")',
            COMPATIBLE,
            "order_view doesn't take the rows of the last release: UNIQUE",
        ),
        (
            'op.alter_column("order_view", "state", new_column_name="status")',
            COMPATIBLE,
            "order_view doesn't take the rows of the last release: table order_view has no column",
        ),
        (
            'op.drop_table("order_view")',
            COMPATIBLE,
            "order_view doesn't take the rows of the last release: no such table",
        ),
    ],
    ids=["nullable", "undeclared", "default", "unique", "renamed", "dropped"],
)
def test_a_change_that_breaks_the_release_is_found(
    tmp_path: Path, change: str, declaration: str, reason: str | None
) -> None:
    """Whether a revision says nothing or says too much, the reason names what is wrong."""
    own = Path("services/order/store/migrations")
    copytree(ROOT / own, tmp_path / own)
    copytree(ROOT / FOLDER, tmp_path / FOLDER)
    newest = f"order_{max(file.name[:4] for file in (ROOT / own).glob('0*.py'))}"
    (tmp_path / own / "9999_next.py").write_text(
        NEXT_REVISION.format(
            newest=newest, change=change, declaration=declaration.format(newest=newest)
        )
    )

    found = list(unusable_for_release("order", tmp_path))

    assert [line.startswith(str(reason)) for line in found] == ([] if reason is None else [True])


def structure(database: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    """Every column of each table and each index, without the order in which they were added."""
    names = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    for kind, name in database.execute(names).fetchall():
        pragma = "index_info" if kind == "index" else "table_info"
        for _, *column in database.execute(f"PRAGMA {pragma}({name})"):
            yield (name, *map(str, column))
