"""The saga's steps with their attempts, as the order's events and its unfinished work tell them.

An order's state is the intent of its next step, so the event that began the state began the step,
and the event that ended the state ended it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.message import Message
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1 import order_event_pb2

from services.console.timeline.entry import Entry, Source
from services.console.timeline.order_record import OrderRecord
from services.console.wire.facts import Fact, unpacked
from services.console.wire.texts import duration_text, instant, instant_text

# The event that begins steps, and the steps.
_BEGINS: Mapping[str, tuple[str, ...]] = {
    "OrderPlaced": ("reserve",),
    "StockReserved": ("authorize",),
    "PaymentAuthorized": ("commit",),
    "CaptureRequested": ("capture",),
    "FulfillmentStarted": ("fulfill",),
    "RefundStarted": ("release", "refund"),
    "ReturnStarted": ("restock", "refund-return"),
}
# What ends whatever step is open, and how.
_ENDS: Mapping[str, str] = {
    "StockReserved": "done",
    "PaymentAuthorized": "done",
    "CaptureRequested": "done",
    "OrderConfirmed": "done",
    "CancellationStarted": "given up",
    "OrderRejected": "done",
    "OrderCancelled": "done",
    "OrderFulfilled": "done",
    "RefundStarted": "given up",
    "OrderRefunded": "done",
    "ReturnCompleted": "done",
    "OrderReturned": "done",
}


@dataclass(slots=True)
class _OpenSteps:
    """The steps that began and haven't ended, with the instant and the attempt of each."""

    since: dict[str, datetime] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def begin(self, steps: tuple[str, ...], time: datetime) -> None:
        self.since.update(dict.fromkeys(steps, time))

    def end(self, time: datetime, how: str, place: int) -> Iterator[Entry]:
        for step, since in self.since.items():
            took = duration_text(time - since)
            yield Entry(
                time=time,
                source=Source.STEP,
                title=f"{step}: {how} after {took}",
                facts=(("attempt", str(self.attempts.get(step, 1))),),
                place=place,
            )
        self.since.clear()


def step_entries(record: OrderRecord) -> Iterator[Entry]:
    """Each step's end, its retries and reviews, and the step that is under way."""
    steps = _OpenSteps()
    for event in record.events:
        name, time = event.type.rpartition(".")[2], instant(event.occur_time)
        payload = unpacked(event.payload)
        if name in _ENDS:
            yield from steps.end(time, _ENDS[name], event.aggregate_version)
        steps.begin(_begun(name, payload), time)
        if isinstance(payload, order_event_pb2.StepRetried):
            steps.attempts[payload.step] = payload.attempt
            steps.since.setdefault(payload.step, time)
            title = f"{payload.step}: retried as attempt {payload.attempt}"
            yield _entry(time, title, event.aggregate_version, reason=payload.reason)
        if isinstance(payload, order_event_pb2.ReviewRequested):
            title = f"{payload.step}: needs review"
            yield _entry(time, title, event.aggregate_version, reason=payload.reason, troubled=True)
    if record.saga is not None:
        yield _under_way(record.saga, steps, record)


def _begun(name: str, payload: Message | None) -> tuple[str, ...]:
    if isinstance(payload, order_event_pb2.CancellationStarted):
        asked = (("void", payload.payment_asked), ("release", payload.stock_asked))
        return tuple(step for step, is_asked in asked if is_asked)
    return _BEGINS.get(name, ())


def _entry(time: datetime, title: str, place: int, *, reason: str, troubled: bool = False) -> Entry:
    facts = (("reason", reason),) if reason else ()
    return Entry(time, Source.STEP, title, facts, place=place, troubled=troubled)


def _under_way(saga: Saga, steps: _OpenSteps, record: OrderRecord) -> Entry:
    """The step that the order waits for; it stands behind everything that has happened."""
    facts: list[Fact] = [
        ("attempt", str(saga.attempt)),
        ("sent without a known outcome", str(saga.unknown_count)),
    ]
    if saga.last_error:
        facts.append(("last error", saga.last_error))
    if saga.HasField("next_attempt_time"):
        facts.append(("next attempt", instant_text(instant(saga.next_attempt_time))))
    if saga.review_reason:
        facts.append(("review", saga.review_reason))
    newest = record.order.update_time if record.order.HasField("update_time") else saga.create_time
    since = steps.since.get(saga.step, instant(newest))
    return Entry(
        time=since,
        source=Source.STEP,
        title=f"{saga.step}: under way since {instant_text(since)}",
        facts=tuple(facts),
        instance=saga.owner.partition("/")[0],
        place=record.order.version + 1,
        troubled=saga.needs_review,
    )
