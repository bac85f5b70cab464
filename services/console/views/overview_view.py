"""The first page: what an operator should know within a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tradepost.event.v1.event_pb2 import DeadLetter
from tradepost.order.admin.v1.saga_pb2 import Saga

from services.console.books.books import Books
from services.console.books.books_reader import Progress
from services.console.books.order_counts import percentile
from services.console.reading.feeds_reading import MOST_LETTERS, Consumer
from services.console.reading.instances_reading import ListedInstances
from services.console.views.books_view import is_complete, trouble_of
from services.console.views.table import Cell, Row, Table, Tone, link_to, number
from services.console.wire.texts import duration_text, instant

# Rates and latencies are those of so many seconds.
RECENT_S = 60.0
# So many sagas for review are read at most.
MOST_REVIEWS = 1_000
_STATES = ("State", "Orders")
_SERVICES = ("Service", "Passing", "Ready", "Ejected", "Failed of calls (10 s)")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with what it means; `link` leads to what is behind it."""

    label: str
    text: str
    link: str = ""
    tone: Tone = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows."""

    figures: tuple[Figure, ...]
    states: Table
    services: Table


def overview(
    books: Books,
    progress: Sequence[Progress],
    *,
    reviews: Sequence[Saga] | None,
    oldest: Sequence[Saga] | None,
    consumers: Sequence[Consumer] | None,
    dead_letters: Sequence[DeadLetter] | None,
    instances: Sequence[ListedInstances],
    now: datetime,
) -> Overview:
    """Make the page of what was read; what could not be read is None, and no figure."""
    figures = (
        *_order_figures(books, progress, now),
        _count("Need review", reviews, "sagas?review=yes", most=MOST_REVIEWS),
        _oldest_saga(oldest, now),
        _lag(consumers),
        _count("Dead letters", dead_letters, "feeds#dead-letters", most=MOST_LETTERS),
        _broken(trouble_of(books, progress, now)),
    )
    return Overview(figures, _states(books.orders.by_state), _services(instances))


def _order_figures(books: Books, progress: Sequence[Progress], now: datetime) -> tuple[Figure, ...]:
    counts = books.orders
    placed = sum((now - moment).total_seconds() <= RECENT_S for moment in counts.placed)
    took = [s for moment, s in counts.settled if (now - moment).total_seconds() <= RECENT_S]
    half, most = percentile(took, 0.5), percentile(took, 0.95)
    latency = "none settled" if half is None or most is None else f"{half:.2f} / {most:.2f} s"
    reading = "" if is_complete(progress) else "the feeds are still being read"
    return (
        Figure(
            "Orders per second", f"{placed / RECENT_S:.1f}", "orders", hint=reading or "last minute"
        ),
        Figure("Checkout, median / p95", latency, hint=reading or "last minute"),
        Figure("Under way", f"{counts.unsettled:,}", "sagas", hint=reading),
    )


def _count(label: str, found: Sequence[object] | None, link: str, *, most: int) -> Figure:
    """How many there are, of which `most` were read at most."""
    if found is None:
        return _unknown(label, link)
    number = f"{len(found):,}"
    text = number if len(found) < most else f"at least {number}"
    return Figure(label, text, link, "bad" if found else "good")


def _unknown(label: str, link: str, hint: str = "a service did not answer") -> Figure:
    return Figure(label, "unknown", link, "warn", hint)


def _broken(trouble: int | None) -> Figure:
    if trouble is None:
        return _unknown("Broken equations", "books", "not everything could be read yet")
    return Figure("Broken equations", f"{trouble:,}", "books", "bad" if trouble else "good")


def _oldest_saga(oldest: Sequence[Saga] | None, now: datetime) -> Figure:
    if oldest is None:
        return _unknown("Oldest unfinished saga", "sagas")
    if not oldest:
        return Figure("Oldest unfinished saga", "none", "sagas", "good")
    age = now - instant(oldest[0].create_time)
    tone: Tone = "warn" if age.total_seconds() > RECENT_S else ""
    return Figure("Oldest unfinished saga", duration_text(age), "sagas", tone, oldest[0].step)


def _lag(consumers: Sequence[Consumer] | None) -> Figure:
    if consumers is None:
        return _unknown("Largest lag", "feeds")
    unknown = [one.key for one in consumers if not one.subscription.HasField("lag_count")]
    if unknown or not consumers:
        return _unknown("Largest lag", "feeds", ", ".join(unknown[:1]))
    worst = max(consumers, key=lambda one: one.subscription.lag_count)
    lag = worst.subscription.lag_count
    tone: Tone = "warn" if lag else "good"
    return Figure("Largest lag", f"{lag:,}", "feeds", tone, worst.key if lag else "")


def _states(by_state: Mapping[str, int]) -> Table:
    rows = tuple(
        Row((Cell(state, link=link_to("orders", state=state)), number(count)))
        for state, count in sorted(by_state.items(), key=lambda each: -each[1])
        if count > 0
    )
    return Table("Orders by state", _STATES, rows, empty="No order yet.")


def _services(instances: Sequence[ListedInstances]) -> Table:
    return Table("Services", _SERVICES, tuple(map(_service, instances)))


def _service(one: ListedInstances) -> Row:
    views = one.seen.instances if one.seen else ()
    ready = sum(view.state == "READY" and view.health == "SERVING" for view in views)
    ejected = sum(view.ejected is not None for view in views)
    failed, calls = sum(view.failures for view in views), sum(view.calls for view in views)
    passing = sum(check == "passing" for _, check in one.instances)
    listed = Cell("no answer", tone="bad") if one.fault else number(passing)
    return Row(
        (
            Cell(one.service, link=link_to("instances", service=one.service)),
            listed,
            number(ready, tone="good" if ready else "bad"),
            number(ejected, tone="bad" if ejected else ""),
            Cell(f"{failed} of {calls}", tone="bad" if failed else "", is_number=True),
        )
    )
