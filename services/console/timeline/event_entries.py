"""The order's own events, each with the version that it made."""

from collections.abc import Iterator

from services.console.timeline.entry import Entry, Source
from services.console.timeline.order_record import OrderRecord
from services.console.wire.facts import facts_of_any
from services.console.wire.texts import instant

_TROUBLED = frozenset(["ReviewRequested", "CancellationStarted", "OrderRejected"])


def event_entries(record: OrderRecord) -> Iterator[Entry]:
    """One entry for each event of the order."""
    for event in record.events:
        name = event.type.rpartition(".")[2]
        yield Entry(
            time=instant(event.occur_time),
            source=Source.EVENT,
            title=name,
            facts=facts_of_any(event.payload),
            actor=event.actor,
            trace_id=trace_id_of(event.traceparent),
            version=event.aggregate_version,
            place=event.aggregate_version,
            troubled=name in _TROUBLED,
        )


def trace_id_of(traceparent: str) -> str:
    """The trace id of a W3C traceparent, "00-<trace id>-<span id>-01"; "" if there is none."""
    parts = traceparent.split("-")
    return parts[1] if len(parts) >= 4 else ""  # noqa: PLR2004 - the parts of a traceparent
