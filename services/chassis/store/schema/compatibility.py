"""Which versions of a service can use the tables of its database, recorded beside them.

An older instance doesn't have the files of the revisions that a newer one has run, so it can't know
what they changed. The newer one leaves word: the oldest revision whose code can use the tables.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, inspect, select

from services.chassis.store.errors import WrongTablesError
from services.chassis.store.schema.revision_files import RevisionFiles

# Beside Alembic's table and, like that one, not made by a revision: an older version would refuse
# the tables because of the revision alone.
_TABLE = Table(
    "schema_compatibility",
    MetaData(),
    Column("revision", String, primary_key=True),
    Column("compatible_from", String, nullable=False),
)


def record(connection: Connection, revisions: RevisionFiles) -> None:
    """Leave word for older instances of who can use the tables of the newest revisions."""
    known = _recorded(connection)
    _TABLE.create(connection, checkfirst=True)
    for revision in sorted(revisions.newest):
        oldest = revisions.compatible_from(revision)
        if known.get(revision) != oldest:
            connection.execute(delete(_TABLE).where(_TABLE.c.revision == revision))
            connection.execute(insert(_TABLE).values(revision=revision, compatible_from=oldest))


def expect_compatible(
    connection: Connection, revisions: RevisionFiles, found: frozenset[str]
) -> None:
    """Check that an instance with these revisions can use tables at `found`, some of them newer.

    Raises WrongTablesError, which names what was found and the instance's own newest revisions.
    """
    recorded = _recorded(connection)
    usable = set(found & revisions.newest)
    for revision in found - revisions.followed.keys():
        oldest = recorded.get(revision, revision)
        if oldest not in revisions.followed:
            raise WrongTablesError(
                f"they are at {revision}, which needs a version of the service that knows {oldest};"
                f" this one ends with {_listed(revisions.newest)}"
            )
        usable |= {newest for newest in revisions.newest if oldest in revisions.history(newest)}
    if missing := revisions.newest - usable:
        raise WrongTablesError(
            f"they are at {_listed(found)}: newer than this version of the service, which however"
            f" has {_listed(missing)} before them"
        )


def _recorded(connection: Connection) -> Mapping[str, str]:
    if not inspect(connection).has_table(_TABLE.name):
        return {}
    return {row.revision: row.compatible_from for row in connection.execute(select(_TABLE))}


def _listed(revisions: Collection[str]) -> str:
    return " and ".join(sorted(revisions))
