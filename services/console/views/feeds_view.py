"""The consumers of every service with their lag, and the events that they could not apply."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tradepost.event.v1.event_pb2 import DeadLetter

from services.console.reading.feeds_reading import Consumer
from services.console.views.table import (
    Cell,
    FilterField,
    Row,
    Table,
    link_to,
    number,
    service_field,
    when,
)
from services.console.wire.texts import duration_text, instant

_CONSUMER_COLUMNS = ("Service", "Consumer", "Position", "Head", "Lag", "Owner", "Refused because")
_LETTER_COLUMNS = ("Event", "Version", "Error", "Attempts", "Parked", "Discarded")


@dataclass(frozen=True, slots=True)
class ParkedEvents:
    """The dead letters of one consumer about one aggregate: they are replayed together."""

    service: str
    consumer: str
    aggregate_id: str
    letters: tuple[DeadLetter, ...]
    age: str

    @property
    def order_link(self) -> str:
        """The page of the order that it is about; "" if it is about something else."""
        return f"orders/{self.aggregate_id}" if self.aggregate_id.startswith("ord_") else ""

    @property
    def parked(self) -> tuple[DeadLetter, ...]:
        """Those that wait for an operator."""
        return tuple(each for each in self.letters if not each.HasField("discard_time"))

    @property
    def table(self) -> Table:
        """One row for each dead letter."""
        caption = f"{self.aggregate_id}: {len(self.parked)} parked for {self.age}"
        return Table(caption, _LETTER_COLUMNS, tuple(_letter_row(each) for each in self.letters))


def feeds_filter(query: Mapping[str, str], services: Sequence[str]) -> tuple[FilterField, ...]:
    """The fields of the filter, filled with the query."""
    return (
        service_field(query, services),
        FilterField("consumer", "Consumer", query.get("consumer", "")),
        FilterField("aggregate", "Aggregate", query.get("aggregate", "")),
        FilterField(
            "discarded",
            "Discarded events",
            query.get("discarded", ""),
            (("", "leave out"), ("yes", "show")),
        ),
    )


def consumers_table(consumers: Iterable[Consumer]) -> Table:
    """All consumers; the one that is farthest behind comes first."""
    behind = sorted(consumers, key=lambda one: (-one.subscription.lag_count, one.key))
    return Table("Consumers", _CONSUMER_COLUMNS, tuple(_consumer_row(each) for each in behind))


def parked_events(
    letters: Mapping[str, Sequence[DeadLetter]], now: datetime
) -> tuple[ParkedEvents, ...]:
    """The dead letters of all services, by consumer and aggregate, the oldest first."""
    grouped: dict[tuple[str, str, str], list[DeadLetter]] = {}
    for service, parked in letters.items():
        for letter in parked:
            key = (service, letter.consumer, letter.event.aggregate_id)
            grouped.setdefault(key, []).append(letter)
    found = [
        ParkedEvents(*key, tuple(together), duration_text(now - instant(together[0].park_time)))
        for key, together in grouped.items()
    ]
    return tuple(sorted(found, key=lambda one: one.letters[0].park_time.ToNanoseconds()))


def _consumer_row(consumer: Consumer) -> Row:
    one = consumer.subscription
    lag = Cell("unknown", tone="warn", is_number=True)
    if one.HasField("lag_count"):
        lag = number(one.lag_count, tone="warn" if one.lag_count else "good")
    return Row(
        (
            Cell(consumer.service),
            Cell(
                one.consumer, link=link_to("feeds", service=consumer.service, consumer=one.consumer)
            ),
            number(one.position),
            number(one.head_position) if one.HasField("head_position") else Cell("unreachable"),
            lag,
            Cell(one.owner.partition("/")[0] or "nobody", tone="" if one.owner else "warn"),
            Cell(one.refusal, tone="bad" if one.refusal else ""),
        ),
        key=consumer.key,
    )


def _letter_row(letter: DeadLetter) -> Row:
    discarded = Cell("")
    if letter.HasField("discard_time"):
        discarded = Cell(
            f"by {letter.discard_actor or 'unknown'}: {letter.discard_reason}", tone="dim"
        )
    return Row(
        (
            Cell(letter.event.type.rpartition(".")[2]),
            number(letter.event.aggregate_version),
            Cell(letter.error, tone="bad"),
            number(letter.attempt_count),
            when(instant(letter.park_time)),
            discarded,
        ),
        key=letter.dead_letter_id,
    )
