"""An archived order, as the service knows orders: its message, and its events."""

from dataclasses import fields

from tradepost.order.v1 import order_pb2

from services.chassis.log.event_log import StoredEvent
from services.chassis.retention.archive_line import ArchivedAggregate, ArchivedRow
from services.chassis.store.micros import from_micros

# The service in the names of the archive's files.
SERVICE = "order"
_COLUMNS = frozenset(each.name for each in fields(StoredEvent))


def order_of(archived: ArchivedAggregate) -> order_pb2.Order:
    """The order as it was when it was archived."""
    (row,) = archived.rows["order_view"]
    return order_pb2.Order.FromString(row["message"])


def events_of(archived: ArchivedAggregate) -> list[StoredEvent]:
    """All its events, in order; of what a newer version archived, as far as this one knows it."""
    return [_event(row) for row in archived.rows["event"]]


def _event(row: ArchivedRow) -> StoredEvent:
    known = {name: value for name, value in row.items() if name in _COLUMNS}
    return StoredEvent(**{**known, "occur_time": from_micros(row["occur_time"])})
