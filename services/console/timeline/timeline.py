"""Puts the six sources into one list."""

from collections.abc import Callable, Iterable
from datetime import datetime

from services.console.timeline.call_entries import call_entries
from services.console.timeline.entry import Entry, Source
from services.console.timeline.event_entries import event_entries
from services.console.timeline.mail_entries import mail_entries
from services.console.timeline.money_entries import money_entries
from services.console.timeline.order_record import OrderRecord
from services.console.timeline.step_entries import step_entries
from services.console.timeline.stock_entries import stock_entries

SOURCES: tuple[Callable[[OrderRecord], Iterable[Entry]], ...] = (
    call_entries,
    event_entries,
    step_entries,
    money_entries,
    stock_entries,
    mail_entries,
)


def timeline(record: OrderRecord, *, until: datetime | None = None) -> tuple[Entry, ...]:
    """All entries of an order in the order of time.

    The clocks of services differ, so entries of different sources that are milliseconds apart may
    have happened the other way round; those of one source never change places. With `until` later
    entries are left out.
    """
    entries = (entry for source in SOURCES for entry in source(record))
    shown = (entry for entry in entries if until is None or entry.time <= until)
    return tuple(sorted(shown, key=_when))


def _when(entry: Entry) -> tuple[datetime, Source, int]:
    return entry.time, entry.source, entry.place
