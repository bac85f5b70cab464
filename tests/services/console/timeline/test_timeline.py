"""One order's timeline out of six sources."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1.inventory_event_pb2 import ReservationHeld
from tradepost.inventory.v1.item_pb2 import StockMovement, StockMovementKind
from tradepost.notification.v1.notification_pb2 import (
    Notification,
    NotificationState,
    NotificationTemplate,
    PendingDelivery,
)
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1 import order_event_pb2 as facts
from tradepost.order.v1.order_pb2 import Order
from tradepost.payment.v1.ledger_pb2 import (
    LedgerAccount,
    LedgerEntry,
    LedgerPostingKind,
    LedgerSide,
)
from tradepost.payment.v1.payment_pb2 import Payment, PaymentState, Refund, RefundState
from tradepost.type.v1.money_pb2 import Money

from services.console.timeline.entry import Entry, Source
from services.console.timeline.order_record import OrderRecord
from services.console.timeline.timeline import timeline
from services.console.wire.texts import instant_text

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PRICE = Money(currency_code="USD", minor_units=1_250)


def at(ms: int) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(NOON + timedelta(milliseconds=ms))
    return moment


def event(ms: int, version: int, payload: Message, *, feed: str = "order", **fields: str) -> Event:
    packed = Any()
    packed.Pack(payload)
    return Event(
        feed=feed,
        position=version,
        event_id=f"evt_{feed}_{version}",
        aggregate_version=version,
        type=payload.DESCRIPTOR.full_name,
        occur_time=at(ms),
        payload=packed,
        **fields,
    )


def trace(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def a_ledger_entry(sequence: int, side: LedgerSide.ValueType) -> LedgerEntry:
    return LedgerEntry(
        sequence=sequence,
        posting_id="pst_1",
        kind=LedgerPostingKind.LEDGER_POSTING_KIND_CAPTURED,
        account=LedgerAccount.LEDGER_ACCOUNT_PROCESSOR_CLEARING,
        side=side,
        amount=PRICE,
        occur_time=at(80),
    )


def held(sequence: int, sku: str, units: int) -> StockMovement:
    kind = StockMovementKind.STOCK_MOVEMENT_KIND_HELD
    return StockMovement(sequence=sequence, sku=sku, kind=kind, held_delta=units, occur_time=at(10))


PLACED = facts.OrderPlaced(customer_id="ann")
PAID = Payment(
    payment_id="pay_1",
    state=PaymentState.PAYMENT_STATE_CAPTURED,
    amount=PRICE,
    update_time=at(80),
)
MAIL = Notification(
    template=NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CONFIRMED,
    state=NotificationState.NOTIFICATION_STATE_SENT,
    recipient="ann@example.org",
    create_time=at(100),
    send_time=at(120),
)
HELD = ReservationHeld(order_id="ord_1")


def a_confirmed_order() -> OrderRecord:
    """An order that was placed, paid and mailed about."""
    sides = (LedgerSide.LEDGER_SIDE_DEBIT, LedgerSide.LEDGER_SIDE_CREDIT)
    return OrderRecord(
        order=Order(order_id="ord_1", version=5, update_time=at(90)),
        events=(
            event(0, 1, PLACED, traceparent=trace(1), actor="person:ann"),
            event(20, 2, facts.StockReserved(total=PRICE), traceparent=trace(1)),
            event(40, 3, facts.PaymentAuthorized(payment_id="pay_1")),
            event(60, 4, facts.CaptureRequested(payment_id="pay_1")),
            event(90, 5, facts.OrderConfirmed(captured_amount=PRICE)),
        ),
        payments=(PAID,),
        ledger=tuple(a_ledger_entry(number, side) for number, side in enumerate(sides, start=1)),
        movements=(held(1, "milk", 2), held(2, "tea", 1)),
        mails=(MAIL,),
        participant_events=(event(10, 1, HELD, feed="inventory", traceparent=trace(1)),),
    )


def titles(entries: Sequence[Entry], source: Source) -> list[str]:
    return [entry.title for entry in entries if entry.source is source]


def test_six_sources_become_one_list_in_the_order_of_time() -> None:
    """Every source has its entries, and none of them is listed before an earlier one."""
    entries = timeline(a_confirmed_order())

    assert {entry.source for entry in entries} == set(Source)
    times = [entry.time for entry in entries]
    assert times == sorted(times)


def test_every_event_is_listed_with_its_version_and_who_recorded_it() -> None:
    """The versions are those that the page can show the order at."""
    events = [each for each in timeline(a_confirmed_order()) if each.source is Source.EVENT]

    assert [each.version for each in events] == [1, 2, 3, 4, 5]
    assert events[0].actor == "person:ann"
    assert events[0].trace_id == f"{1:032x}"
    assert ("captured_amount", "USD 12.50") in events[-1].facts


def test_a_step_is_done_when_the_next_state_begins() -> None:
    """The state is the intent, so a step took from the event that began its state to the next."""
    assert titles(timeline(a_confirmed_order()), Source.STEP) == [
        "reserve: done after 20 ms",
        "authorize: done after 20 ms",
        "commit: done after 20 ms",
        "capture: done after 30 ms",
    ]


def test_a_retried_step_shows_its_attempt_and_the_unfinished_one_its_trouble() -> None:
    """An operator sees what was tried how often, why it fails, and which instance tries it."""
    record = OrderRecord(
        order=Order(order_id="ord_1", version=3, update_time=at(60)),
        events=(
            event(0, 1, facts.OrderPlaced()),
            event(50, 2, facts.ReviewRequested(step="reserve", reason="STEP_FAILED")),
            event(60, 3, facts.StepRetried(step="reserve", attempt=2, reason="repaired")),
        ),
        saga=Saga(
            step="reserve",
            attempt=2,
            last_error="UNAVAILABLE",
            owner="order-1/run_1",
            needs_review=True,
        ),
    )
    steps = [each for each in timeline(record) if each.source is Source.STEP]

    assert [each.title.partition(" since")[0] for each in steps] == [
        "reserve: under way",
        "reserve: needs review",
        "reserve: retried as attempt 2",
    ]
    assert steps[0].instance == "order-1"
    assert steps[0].troubled
    assert ("attempt", "2") in steps[0].facts
    assert ("last error", "UNAVAILABLE") in steps[0].facts


def test_the_compensations_that_were_asked_for_are_steps() -> None:
    """A cancelled order undoes what it asked for, and nothing else."""
    record = OrderRecord(
        order=Order(order_id="ord_1", version=3),
        events=(
            event(0, 1, facts.OrderPlaced()),
            event(10, 2, facts.CancellationStarted(stock_asked=True)),
            event(30, 3, facts.OrderCancelled()),
        ),
    )
    assert titles(timeline(record), Source.STEP) == [
        "reserve: given up after 10 ms",
        "release: done after 20 ms",
    ]


def test_both_sides_of_a_posting_are_one_entry() -> None:
    """Debit and credit happen together, so they are read together."""
    money = titles(timeline(a_confirmed_order()), Source.MONEY)

    assert money == ["payment is CAPTURED (version 0)", "ledger: CAPTURED USD 12.50"]


def test_a_refund_tells_who_asked_for_it() -> None:
    """Money that goes back has a name behind it."""
    refund = Refund(
        refund_id="ref_1",
        amount=PRICE,
        state=RefundState.REFUND_STATE_FAILED,
        requester="person:olga",
        create_time=at(5),
    )
    record = OrderRecord(Order(), payments=(Payment(refunds=[refund], update_time=at(9)),))
    (entry, _) = timeline(record)

    assert (entry.title, entry.actor, entry.troubled) == (
        "refund of USD 12.50: FAILED",
        "person:olga",
        True,
    )


def test_items_that_moved_together_are_one_entry() -> None:
    """A basket of 500 lines is one line of the timeline, whose facts are the items."""
    stock = [each for each in timeline(a_confirmed_order()) if each.source is Source.STOCK]

    assert [each.title for each in stock] == ["2 items HELD"]
    assert stock[0].facts == (("milk", "held +2"), ("tea", "held +1"))


def test_events_of_one_call_are_one_call_of_each_service() -> None:
    """A call is found by its trace in the log of every service that it changed."""
    calls = [each for each in timeline(a_confirmed_order()) if each.source is Source.CALL]

    assert "inventory recorded ReservationHeld" in [each.title for each in calls]
    traced = {each.title: each.trace_id for each in calls}
    assert traced["order recorded StockReserved"] == traced["inventory recorded ReservationHeld"]


def test_what_happened_after_a_version_is_left_out() -> None:
    """The order as it was at a version stands beside what had happened by then."""
    entries = timeline(a_confirmed_order(), until=NOON + timedelta(milliseconds=40))

    assert [each.version for each in entries if each.source is Source.EVENT] == [1, 2, 3]
    assert titles(entries, Source.MAIL) == []


def test_a_mail_that_waits_tells_why_and_until_when() -> None:
    """An operator sees what the mail server said last, and when it is asked again."""
    waits = Notification(
        template=NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CONFIRMED,
        state=NotificationState.NOTIFICATION_STATE_PENDING,
        create_time=at(0),
        pending_delivery=PendingDelivery(
            attempt_count=3, last_error="451 later", next_attempt_time=at(0)
        ),
    )
    tried = Notification()
    tried.CopyFrom(waits)
    tried.pending_delivery.ClearField("next_attempt_time")
    new = Notification(state=waits.state, create_time=at(0), pending_delivery=PendingDelivery())
    entries = timeline(OrderRecord(Order(), mails=(waits, tried, new)))

    said = [(dict(entry.facts).get("error"), entry.troubled) for entry in entries]
    again = instant_text(NOON)
    assert said == [
        (f"451 later (attempt 3; the next one at {again})", True),
        ("451 later (attempt 3; the next one is under way)", True),
        (None, False),
    ]


def test_an_unknown_event_is_listed_by_its_name() -> None:
    """A newer service may record what this console doesn't know."""
    unknown = event(0, 1, facts.OrderPlaced())
    unknown.type = "tradepost.order.v1.OrderPraised"
    unknown.payload.type_url = "type.googleapis.com/tradepost.order.v1.OrderPraised"
    entries = timeline(OrderRecord(Order(), events=(unknown,)))

    assert titles(entries, Source.EVENT) == ["OrderPraised"]
