"""The calls that changed an order: who called which instance, in which trace, and what it recorded.

An event carries the trace context of the call that recorded it, so the events of one call are found
by it, in the logs of three services.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from tradepost.event.v1.event_pb2 import AuditRecord, Event

from services.console.timeline.entry import Entry, Source
from services.console.timeline.event_entries import trace_id_of
from services.console.timeline.order_record import OrderRecord
from services.console.wire.facts import Fact, facts_of_any
from services.console.wire.texts import instant


def call_entries(record: OrderRecord) -> Iterator[Entry]:
    """One entry for each call that recorded events, and for each audited call of an operator."""
    calls: dict[tuple[str, str, str, str], list[Event]] = {}
    for event in chain(record.events, record.participant_events):
        # Without a trace context, what shares its cause is one call; without a cause, nothing is.
        context = event.traceparent or event.causation_id or event.event_id
        # A saga that another instance takes over goes on in the same trace.
        key = (event.feed, context, event.actor, event.instance_id)
        calls.setdefault(key, []).append(event)
    for events in calls.values():
        yield _call(events)
    for audited in record.audits:
        yield _audited(audited)


def _call(events: Sequence[Event]) -> Entry:
    first = min(events, key=lambda one: one.position)
    recorded = ", ".join(one.type.rpartition(".")[2] for one in events)
    caused = (("caused by", first.causation_id),) if first.causation_id else ()
    correlated = (("correlation", first.correlation_id),) if first.correlation_id else ()
    return Entry(
        time=instant(first.occur_time),
        source=Source.CALL,
        title=f"{first.instance_id or first.feed} recorded {recorded}",
        facts=(*correlated, *caused),
        actor=first.actor,
        trace_id=trace_id_of(first.traceparent),
        place=first.position,
    )


def _audited(record: AuditRecord) -> Entry:
    method = record.method.rpartition(".")[2]
    return Entry(
        time=instant(record.occur_time),
        source=Source.CALL,
        title=f"{method}: {record.reason}" if record.reason else method,
        facts=(*_answered_by(record.instance_id), *facts_of_any(record.request)),
        actor=record.actor,
        place=record.sequence,
    )


def _answered_by(instance_id: str) -> tuple[Fact, ...]:
    return (("instance", instance_id),) if instance_id else ()
