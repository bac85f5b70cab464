"""Reads what is archived of aggregates, and removes it; each in the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Index, MetaData, inspect
from sqlalchemy.sql.elements import quoted_name

from services.chassis.log.event_horizon import raise_horizon
from services.chassis.log.event_log import EVENT, EventLog
from services.chassis.request.request_ids import REQUEST
from services.chassis.retention.archivable import Archivable, DueAggregate, OwnedRows
from services.chassis.retention.archive_line import ArchivedAggregate
from services.chassis.store.unit.unit import read_ahead
from services.chassis.work import lease_table

_EVENTS = OwnedRows(EVENT.c.stream)
_REQUESTS = OwnedRows(REQUEST.c.resource, by_resource=True)
# Without it, the requests of an aggregate are found by reading all. Only who removes needs it, and
# an older version of the service starts on exactly its own revisions: so it is part of none.
_INDEX = "request_resource"


def create_index(connection: Connection) -> None:
    """Create the index by which requests are found by their resource, if it isn't there yet."""
    if any(each["name"] == _INDEX for each in inspect(connection).get_indexes(REQUEST.name)):
        return
    table = REQUEST.to_metadata(MetaData())
    Index(quoted_name(_INDEX, quote=False), table.c.resource).create(connection)


def archived_of(
    connection: Connection, archivable: Archivable, due: Sequence[DueAggregate], now: datetime
) -> tuple[ArchivedAggregate, ...]:
    """All rows of the aggregates, read in one snapshot."""
    owned = (_EVENTS, _REQUESTS, *archivable.owned)
    found = {each.table: each.read(connection, due) for each in owned}
    return tuple(
        ArchivedAggregate(
            each.subject,
            each.version,
            now,
            {
                one.table: [
                    row for key in one.keys([each]) for row in found[one.table].get(key, ())
                ]
                for one in owned
            },
        )
        for each in due
    )


def remove(
    connection: Connection,
    archivable: Archivable,
    log: EventLog,
    due: Sequence[DueAggregate],
) -> int:
    """Remove those of the aggregates that are as they were archived; return their number.

    One that has got another event since, or work that is pending, stays.
    """
    if archivable.is_paused(connection):
        return 0
    gone = _unchanged(connection, log, due)
    if not gone:
        return 0
    archivable.carry(connection, gone)
    for owned in (_EVENTS, _REQUESTS, *archivable.owned):
        owned.remove(connection, gone)
    newest = max(each.position for each in gone)
    raise_horizon(connection, newest, epoch=log.epoch(connection))
    return len(gone)


def _unchanged(
    connection: Connection, log: EventLog, due: Sequence[DueAggregate]
) -> list[DueAggregate]:
    subjects = [each.subject for each in due]
    read_ahead(connection, log.needs(*subjects))
    pending: Mapping[str, object] = lease_table.of_subjects(connection, subjects)
    return [
        each
        for each in due
        if log.version(connection, each.subject) == each.version and each.subject not in pending
    ]
