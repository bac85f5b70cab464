"""An archived order, whichever version archived it."""

from datetime import UTC, datetime

from services.chassis.retention.archive_line import ArchivedAggregate, from_line, to_line
from services.order.retention.archived_order import events_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVENT = {
    "position": 7,
    "event_id": "evt_1",
    "stream": "ord_1",
    "version": 1,
    "type": "tradepost.order.v1.OrderPlaced",
    "payload": b"placed",
    "occur_time": 1_767_268_800_000_000,
    "correlation_id": "cor_1",
    "causation_id": "",
    "traceparent": "",
}


def test_an_older_version_left_out_columns_and_a_newer_one_has_more() -> None:
    """Both are read: an archive is kept for longer than any version runs."""
    newer = {**EVENT, "version": 2, "actor": "service:order", "added_later": "unknown here"}
    archived = ArchivedAggregate("ord_1", 2, NOON, {"event": [EVENT, newer]})
    first, second = events_of(from_line(to_line(archived)))

    assert (first.payload, first.occur_time, first.actor) == (b"placed", NOON, "")
    assert (second.version, second.actor) == (2, "service:order")
