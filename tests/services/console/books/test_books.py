"""The equations, fed with what four services record."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from tradepost.event.v1.event_pb2 import Event
from tradepost.notification.v1.notification_pb2 import Notification, NotificationTemplate
from tradepost.order.v1 import order_event_pb2 as order_facts
from tradepost.payment.testing.v1.simulated_processor_pb2 import ProcessorEntry, ProcessorEntryKind
from tradepost.payment.v1 import payment_event_pb2 as payment_facts
from tradepost.payment.v1.ledger_pb2 import (
    LedgerAccount,
    LedgerEntry,
    LedgerPostingKind,
    LedgerSide,
)
from tradepost.type.v1.money_pb2 import Money

from services.chassis.ids import IdFactory
from services.console.books.books import Books
from tests.support.clock.manual_clock import ManualClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=2)
PRICE = Money(currency_code="USD", minor_units=500)
DEBIT, CREDIT = LedgerSide.LEDGER_SIDE_DEBIT, LedgerSide.LEDGER_SIDE_CREDIT
CONFIRMED = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_CONFIRMED


def event(payload: Message, aggregate_id: str = "ord_1") -> Event:
    packed = Any()
    packed.Pack(payload)
    return Event(type=payload.DESCRIPTOR.full_name, aggregate_id=aggregate_id, payload=packed)


def posting(kind: str, debit: str, credit: str) -> list[LedgerEntry]:
    """Both entries of a posting."""
    return [
        LedgerEntry(
            posting_id=f"pst_{kind}",
            payment_id="pay_1",
            order_id="ord_1",
            kind=LedgerPostingKind.Value(f"LEDGER_POSTING_KIND_{kind}"),
            account=LedgerAccount.Value(f"LEDGER_ACCOUNT_{account}"),
            side=side,
            amount=PRICE,
        )
        for account, side in ((debit, DEBIT), (credit, CREDIT))
    ]


CAPTURED = posting("CAPTURED", "PROCESSOR_CLEARING", "CUSTOMER_FUNDS")
REFUNDED = posting("REFUNDED", "CUSTOMER_FUNDS", "PROCESSOR_CLEARING")


def sold(books: Books, *, order_id: str = "ord_1", payment_id: str = "pay_1") -> None:
    """A sale as all services record it."""
    captured = payment_facts.PaymentCaptured(payment_id=payment_id, order_id=order_id, amount=PRICE)
    books.payment_event(event(captured, payment_id), NOON)
    books.order_event(event(order_facts.OrderConfirmed(captured_amount=PRICE), order_id), NOON)
    for each in CAPTURED:
        entry = LedgerEntry()
        entry.CopyFrom(each)
        entry.payment_id, entry.order_id = payment_id, order_id
        books.ledger_entry(entry, NOON)
    books.mail(Notification(order_id=order_id, template=CONFIRMED), NOON)


def refunded(books: Books) -> None:
    """Its refund."""
    paid_back = payment_facts.RefundSucceeded(payment_id="pay_1", order_id="ord_1", amount=PRICE)
    books.payment_event(event(paid_back, "pay_1"), NOON)
    for entry in REFUNDED:
        books.ledger_entry(entry, NOON)


def broken(books: Books) -> list[str]:
    """The names of the equations that don't hold."""
    return [each.name for each in books.balances if not each.state(LATER).holds]


def test_a_sale_that_all_services_record_balances() -> None:
    """Orders, payments, ledger and mails say the same."""
    books = Books()
    sold(books)

    assert broken(books) == []


@pytest.mark.parametrize(
    ("doubled", "names"),
    [
        (
            lambda books: books.payment_event(
                event(
                    payment_facts.PaymentCaptured(
                        payment_id="pay_1", order_id="ord_1", amount=PRICE
                    )
                ),
                NOON,
            ),
            ["captured = confirmed", "captures = ledger"],
        ),
        (
            lambda books: books.mail(Notification(order_id="ord_1", template=CONFIRMED), NOON),
            ["mails written = due"],
        ),
        (
            lambda books: books.ledger_entry(CAPTURED[0], NOON),
            ["captures = ledger", "ledger: debits = credits"],
        ),
    ],
)
def test_what_happens_twice_breaks_its_equations(
    doubled: Callable[[Books], None], names: list[str]
) -> None:
    """A second capture, mail or posting is found."""
    books = Books()
    sold(books)
    doubled(books)

    assert broken(books) == names


def test_a_refund_must_be_shown_by_the_order() -> None:
    """Money that went back without its order is a fault."""
    books = Books()
    sold(books)
    refunded(books)
    assert broken(books) == ["refunded = shown by orders"]

    books.order_event(event(order_facts.RefundObserved(refunded_amount=PRICE)), NOON)
    assert broken(books) == []


def test_an_orders_refund_contains_those_that_were_told_before() -> None:
    """OrderRefunded tells the sum of all refunds, so those told before count once."""
    books = Books()
    sold(books)
    refunded(books)
    books.order_event(event(order_facts.RefundObserved(refunded_amount=PRICE)), NOON)
    books.order_event(event(order_facts.OrderRefunded(refunded_amount=PRICE)), NOON)

    assert "refunded = shown by orders" not in broken(books)


def test_the_processor_is_compared_where_it_shows_its_book() -> None:
    """A suite that moves real money has no such book."""
    books = Books()
    sold(books)
    assert "processor captured = ledger" not in [each.name for each in books.balances]

    books.has_processor = True
    assert broken(books) == ["processor captured = ledger"]
    for name in ("AUTHORIZED", "CAPTURED"):
        kind = ProcessorEntryKind.Value(f"PROCESSOR_ENTRY_KIND_{name}")
        books.processor_entry(ProcessorEntry(order_id="ord_1", kind=kind, amount=PRICE), NOON)
    assert broken(books) == []


@pytest.mark.parametrize("ended", ["CAPTURED", "VOIDED", "EXPIRED"])
def test_money_that_is_set_aside_is_in_the_ledger(ended: str) -> None:
    """From the authorization until the processor says that it is over, however that came."""
    books = Books()
    books.has_processor = True

    def said(kind: str) -> None:
        value = ProcessorEntryKind.Value(f"PROCESSOR_ENTRY_KIND_{kind}")
        books.processor_entry(ProcessorEntry(order_id="ord_1", kind=value, amount=PRICE), NOON)

    said("AUTHORIZED")
    assert broken(books) == ["set aside at the processor = ledger"]
    for entry in posting("AUTHORIZED", "AUTHORIZED", "AUTHORIZED_CONTRA"):
        books.ledger_entry(entry, NOON)
    assert broken(books) == []

    said(ended)
    assert "set aside at the processor = ledger" in broken(books)
    for entry in posting("AUTHORIZATION_REVERSED", "AUTHORIZED_CONTRA", "AUTHORIZED"):
        books.ledger_entry(entry, NOON)
    assert "set aside at the processor = ledger" not in broken(books)


def found(books: Books) -> dict[str, tuple[int, int]]:
    """How much of each finding there is, and how much of that is wrong."""
    states = {each.name: each.state for each in books.findings()}
    return {name: (one.differing, one.late) for name, one in states.items() if one.differing}


def test_a_mail_that_is_not_sent_for_long_is_found() -> None:
    """Whoever wrote it has another clock: what counts is for how long it is seen here."""
    books = Books()
    books.unsent_mails(["ord_1 ORDER_CONFIRMED"], NOON)
    assert found(books) == {"mails sent, or refused": (1, 0)}

    books.unsent_mails(["ord_1 ORDER_CONFIRMED", "ord_2 ORDER_CONFIRMED"], LATER)
    assert found(books) == {"mails sent, or refused": (2, 1)}
    assert books.findings()[1].state.examples == ("ord_1 ORDER_CONFIRMED",)

    books.unsent_mails([], LATER)
    assert found(books) == {}


def test_an_event_that_a_consumer_could_not_apply_is_found() -> None:
    """Until an operator has replayed or discarded it, with its consumer and its aggregate."""
    books = Books()
    books.dead_letters("notification", ["mails ord_1"])
    books.dead_letters("payment", [])
    assert found(books) == {"events applied by every consumer": (1, 1)}
    assert books.findings()[-1].state.examples == ("mails ord_1",)

    books.dead_letters("notification", [])
    assert found(books) == {}


def test_a_return_is_told_by_mail_when_it_is_complete() -> None:
    """Its refund may take long, and no mail is missing meanwhile."""
    books = Books()
    sold(books)
    books.order_event(event(order_facts.ReturnStarted(return_id="ret_1")), NOON)
    assert "mails written = due" not in broken(books)

    books.order_event(event(order_facts.ReturnCompleted(return_id="ret_1")), NOON)
    assert "mails written = due" in broken(books)
    returned = NotificationTemplate.NOTIFICATION_TEMPLATE_ORDER_RETURNED
    books.mail(Notification(order_id="ord_1", template=returned, return_id="ret_1"), NOON)
    assert "mails written = due" not in broken(books)


def test_books_that_begin_later_leave_out_whole_orders() -> None:
    """An order from before is nowhere in them, not even by a payment that was made after."""
    order_id = IdFactory(clock=ManualClock(NOON), rng=random.Random(1)).new("ord")
    books = Books(since=NOON + timedelta(seconds=1))
    late = IdFactory(clock=ManualClock(LATER), rng=random.Random(2))
    sold(books, order_id=order_id, payment_id=late.new("pay"))
    assert [each.name for each in books.balances if each.left or each.right] == []

    sold(books, order_id=late.new("ord"), payment_id=late.new("pay"))
    assert broken(books) == []
    assert books.captured.left == PRICE.minor_units
