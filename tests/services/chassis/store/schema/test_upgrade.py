"""Migrations run at start, once, and either completely or not at all."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from discovery.clock import SystemClock
from services.chassis.store.database import Database
from services.chassis.store.errors import WrongTablesError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from tests.support.store.databases import NEWEST_CHASSIS, Databases, open_database

FIRST = """
from alembic import op
import sqlalchemy as sa

revision = "{revision}"
down_revision = {down_revision}
branch_labels = {branch_labels}
depends_on = None
{compatible}


def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))
    {more}
"""


def a_revision(
    folder: Path, number: int, *, table: str, more: str = "pass", compatible_from: int = 0
) -> None:
    """Write revision `number` of a service's own migrations, which creates `table`.

    Instances from revision `compatible_from` on can use the tables after it.
    """
    folder.mkdir(exist_ok=True)
    (folder / f"{number:04}_{table}.py").write_text(
        FIRST.format(
            revision=f"shop_{number:04}",
            down_revision=f'"shop_{number - 1:04}"' if number > 1 else None,
            branch_labels=repr(("shop",) if number == 1 else None),
            table=table,
            more=more,
            compatible=f'compatible_from = "shop_{compatible_from:04}"' if compatible_from else "",
        )
    )


def tables(connection: Connection) -> set[str]:
    """The names of all tables."""
    return set(inspect(connection).get_table_names())


def revisions(connection: Connection) -> set[str]:
    """The revisions that are recorded as run."""
    rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
    return {row.version_num for row in rows}


async def a_database(databases: Databases) -> Database:
    """A database without tables."""
    return await Database.open(databases.url("new"), clock=SystemClock(), owner="test")


async def test_a_service_has_the_tables_of_the_chassis_and_its_own(
    databases: Databases, tmp_path: Path
) -> None:
    """The revisions of the chassis and of the service are both run and recorded."""
    a_revision(tmp_path / "shop", 1, table="shelf")
    database = await a_database(databases)

    await database.migrate(tmp_path / "shop")

    made = await database.read(tables)
    assert {"event", "event_counter", "request", "lease", "dead_letter", "shelf"} <= made
    assert await database.read(revisions) == {NEWEST_CHASSIS, "shop_0001"}
    await database.close()


async def test_migrating_again_changes_nothing(databases: Databases) -> None:
    """A second migration keeps tables, data and epoch."""
    database = await a_database(databases)
    await database.migrate(CHASSIS_VERSIONS)

    def counter(connection: Connection) -> list[tuple[int, str]]:
        rows = connection.exec_driver_sql("SELECT position, epoch FROM event_counter")
        return [(row.position, row.epoch) for row in rows]

    await database.write(
        lambda c: c.exec_driver_sql("UPDATE event_counter SET position = 7").close()
    )
    before = await database.read(counter)
    await database.close()

    again = await a_database(databases)
    await again.migrate(CHASSIS_VERSIONS)
    assert await again.read(counter) == before
    await again.close()


async def test_a_new_revision_is_run_on_the_old_tables(
    databases: Databases, tmp_path: Path
) -> None:
    """A new revision is applied to a database of the previous release."""
    a_revision(tmp_path / "shop", 1, table="shelf")
    database = await a_database(databases)
    await database.migrate(tmp_path / "shop")
    a_revision(tmp_path / "shop", 2, table="basket")

    await database.migrate(tmp_path / "shop")

    assert {"shelf", "basket"} <= await database.read(tables)
    assert await database.read(revisions) == {NEWEST_CHASSIS, "shop_0002"}
    await database.close()


async def test_a_failing_revision_leaves_nothing_behind(
    databases: Databases, tmp_path: Path
) -> None:
    """An upgrade is one transaction: if a revision fails, nothing of it remains."""
    a_revision(tmp_path / "shop", 1, table="shelf", more="op.execute('SELEKT 1')")
    database = await a_database(databases)

    with pytest.raises(DBAPIError, match="SELEKT"):
        await database.migrate(tmp_path / "shop")
    assert await database.read(tables) == set()

    a_revision(tmp_path / "shop", 1, table="shelf")
    await database.migrate(tmp_path / "shop")
    assert "shelf" in await database.read(tables)
    await database.close()


async def test_tables_of_a_newer_version_are_refused(databases: Databases, tmp_path: Path) -> None:
    """An older service does not touch tables that need a newer one; the error names both."""
    a_revision(tmp_path / "shop", 1, table="shelf")
    a_revision(tmp_path / "shop", 2, table="basket")
    database = await a_database(databases)
    await database.migrate(tmp_path / "shop")
    (tmp_path / "shop" / "0002_basket.py").unlink()

    with pytest.raises(WrongTablesError, match=r"at shop_0002.* ends with .*shop_0001"):
        await database.migrate(tmp_path / "shop")

    assert await database.read(revisions) == {NEWEST_CHASSIS, "shop_0002"}
    await database.close()


async def test_tables_of_a_newer_version_that_allows_it_are_used(
    databases: Databases, tmp_path: Path
) -> None:
    """An older service uses the tables of a newer one that says it can, and leaves them alone."""
    a_revision(tmp_path / "shop", 1, table="shelf")
    a_revision(tmp_path / "shop", 2, table="basket", compatible_from=1)
    database = await a_database(databases)
    assert await database.migrate(tmp_path / "shop") == set()
    (tmp_path / "shop" / "0002_basket.py").unlink()

    assert await database.migrate(tmp_path / "shop") == {"shop_0002"}

    assert await database.read(revisions) == {NEWEST_CHASSIS, "shop_0002"}
    assert {"shelf", "basket"} <= await database.read(tables)
    await database.close()


async def test_every_revision_since_must_allow_an_older_version(
    databases: Databases, tmp_path: Path
) -> None:
    """What one revision took from older services, the next one doesn't give back."""
    a_revision(tmp_path / "shop", 1, table="shelf")
    a_revision(tmp_path / "shop", 2, table="basket")
    a_revision(tmp_path / "shop", 3, table="till", compatible_from=1)
    database = await a_database(databases)
    await database.migrate(tmp_path / "shop")
    (tmp_path / "shop" / "0003_till.py").unlink()

    assert await database.migrate(tmp_path / "shop") == {"shop_0003"}

    (tmp_path / "shop" / "0002_basket.py").unlink()
    with pytest.raises(WrongTablesError, match=r"at shop_0003.* knows shop_0002.*shop_0001"):
        await database.migrate(tmp_path / "shop")
    await database.close()


async def test_tables_that_are_newer_and_older_at_once_are_refused(
    databases: Databases, tmp_path: Path
) -> None:
    """Revisions of two histories that don't follow each other are not mixed."""
    a_revision(tmp_path / "shop", 1, table="shelf")
    a_revision(tmp_path / "shop", 2, table="basket", compatible_from=1)
    database = await a_database(databases)
    await database.migrate(tmp_path / "shop")
    (tmp_path / "shop" / "0002_basket.py").unlink()
    changed = "UPDATE alembic_version SET version_num = 'chassis_0001'"
    before = f"{changed} WHERE version_num = '{NEWEST_CHASSIS}'"
    await database.write(lambda c: c.exec_driver_sql(before).close())

    with pytest.raises(WrongTablesError, match=f"shop_0002.*{NEWEST_CHASSIS} before them"):
        await database.migrate(tmp_path / "shop")
    await database.close()


async def test_tables_from_before_compatibility_was_recorded_get_it_at_the_next_start(
    databases: Databases, tmp_path: Path
) -> None:
    """A version that finds its own revisions still leaves word for older ones, corrected ones too.

    A service that is upgraded without a new revision can be rolled back like any other.
    """
    a_revision(tmp_path / "shop", 1, table="shelf")
    a_revision(tmp_path / "shop", 2, table="basket")
    database = await a_database(databases)
    await database.migrate(tmp_path / "shop")
    await database.write(lambda c: c.exec_driver_sql("DROP TABLE schema_compatibility").close())

    await database.migrate(tmp_path / "shop")
    (tmp_path / "shop" / "0002_basket.py").unlink()
    with pytest.raises(WrongTablesError, match="shop_0002"):
        await database.migrate(tmp_path / "shop")

    a_revision(tmp_path / "shop", 2, table="basket", compatible_from=1)
    await database.migrate(tmp_path / "shop")
    (tmp_path / "shop" / "0002_basket.py").unlink()
    assert await database.migrate(tmp_path / "shop") == {"shop_0002"}
    await database.close()


async def test_a_test_opens_a_migrated_database(databases: Databases, tmp_path: Path) -> None:
    """Tests get a copy of a migrated database; a second call opens the same copy."""
    a_revision(tmp_path / "shop", 1, table="shelf")
    one = await open_database(databases, tmp_path / "shop")
    two = await open_database(databases, tmp_path / "shop")

    await one.write(lambda c: c.exec_driver_sql("INSERT INTO shelf VALUES (7)").close())
    shelves = await two.read(lambda c: c.exec_driver_sql("SELECT id FROM shelf").scalars().all())

    assert shelves == [7]
    await one.close()
    await two.close()
