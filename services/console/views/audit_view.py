"""What people and services did: audit records, and the events that a person recorded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.any_pb2 import Any as AnyMessage
from tradepost.event.v1.event_pb2 import AuditRecord, Event

from services.console.views.table import Cell, FilterField, Row, Table, service_field, when
from services.console.wire.facts import facts_of_any, unpacked
from services.console.wire.texts import instant

_COLUMNS = ("When", "Who", "Service", "What", "Why", "About", "Correlation")
_SHOWN = (
    "order_id",
    "consumer",
    "aggregate_id",
    "dead_letter_id",
    "after_position",
    "sku",
    "instance_id",
)


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that somebody did at a service, and why."""

    time: datetime
    actor: str
    service: str
    what: str
    reason: str
    about: str
    correlation_id: str
    link: str = ""


def audit_filter(query: Mapping[str, str], services: Sequence[str]) -> tuple[FilterField, ...]:
    """The fields of the filter, filled with the query."""
    return (
        FilterField("actor", "Who, such as person:olga", query.get("actor", "")),
        service_field(query, services),
    )


def deed_of_record(service: str, record: AuditRecord) -> Deed:
    """A change that no event tells of."""
    facts = dict(facts_of_any(record.request))
    about = ", ".join(facts[name] for name in _SHOWN if name in facts)
    order_id = facts.get("order_id", "")
    return Deed(
        time=instant(record.occur_time),
        actor=record.actor,
        service=service,
        what=record.method.rpartition(".")[2],
        reason=record.reason,
        about=about,
        correlation_id=record.correlation_id,
        link=f"orders/{order_id}" if order_id else "",
    )


def deed_of_event(event: Event) -> Deed:
    """A fact that a person recorded."""
    order_id = event.aggregate_id if event.aggregate_type == "order" else ""
    return Deed(
        time=instant(event.occur_time),
        actor=event.actor,
        service=event.feed,
        what=event.type.rpartition(".")[2],
        reason=reason_of_event(event.payload),
        about=event.aggregate_id,
        correlation_id=event.correlation_id,
        link=f"orders/{order_id}" if order_id else "",
    )


def reason_of_event(payload: AnyMessage) -> str:
    """The reason that a fact holds; "" if it holds none."""
    return str(getattr(unpacked(payload), "reason", ""))


def newest_deeds(deeds: Iterable[Deed], most: int) -> Sequence[Deed]:
    """The newest deeds first, at most so many."""
    return sorted(deeds, key=lambda deed: deed.time, reverse=True)[:most]


def audit_table(deeds: Iterable[Deed]) -> Table:
    """A row for each deed."""
    return Table("What was done, the newest first", _COLUMNS, tuple(map(_row, deeds)))


def are_all_known(deeds: Iterable[Deed]) -> bool:
    """Whether each deed tells who did it; in the open mode services know nobody."""
    return all(deed.actor for deed in deeds)


def _row(deed: Deed) -> Row:
    return Row(
        (
            when(deed.time),
            Cell(deed.actor or "nobody known", tone="" if deed.actor else "dim"),
            Cell(deed.service),
            Cell(deed.what),
            Cell(deed.reason),
            Cell(deed.about, link=deed.link),
            Cell(deed.correlation_id, tone="dim"),
        )
    )
