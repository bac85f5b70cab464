"""Which message each event of an order causes, and its exact words where they matter."""

import pytest

from services.chassis.domain.amounts import format_amount
from services.chassis.domain.money import Money
from services.notification.domain.errors import UnknownOrderError
from services.notification.domain.events import (
    CancellationCause,
    CancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderEvent,
    OrderFulfilled,
    OrderPlaced,
    OrderRefunded,
    OrderRejected,
)
from services.notification.domain.rules import decide, evolve
from services.notification.domain.state import CustomerMessage, OrderDetails, Template

PRICE = Money("USD", 1250)
REFUSED, CANCELLED = CancellationCause.REFUSED, CancellationCause.CANCELLED


def messages_after(*events: OrderEvent) -> list[CustomerMessage]:
    """Return the messages that these events of one order cause."""
    order, messages = OrderDetails("ord_1"), []
    for event in events:
        order = evolve(order, event)
        messages.append(decide(order, event))
    return [message for message in messages if message is not None]


@pytest.mark.parametrize(
    ("events", "template", "words"),
    [
        ((OrderConfirmed(PRICE),), Template.CONFIRMED, "is confirmed, and USD 12.50 was paid"),
        ((OrderCancelled(),), Template.CANCELLED, "was cancelled"),
        ((OrderRefunded(PRICE),), Template.REFUNDED, "USD 12.50 is on its way back to you"),
        (
            (OrderConfirmed(PRICE), OrderFulfilled()),
            Template.FULFILLED,
            "over USD 12.50 is on its way",
        ),
        ((OrderRejected(),), Template.REJECTED, "could not accept your order"),
    ],
)
def test_each_end_has_its_template(
    events: tuple[OrderEvent, ...], template: Template, words: str
) -> None:
    """A message names what happened, the customer and the order."""
    *_, last = messages_after(OrderPlaced("ann"), *events)
    assert last.template is template
    assert words in last.body
    assert "customer ann" in last.body
    assert "ord_1" in last.subject


@pytest.mark.parametrize(
    ("started", "words"),
    [
        (CancellationStarted(REFUSED, reason="PAYMENT_DECLINED"), "The payment was declined."),
        (
            CancellationStarted(
                REFUSED, reason="PAYMENT_DECLINED", facts={"decline_code": "EXPIRED"}
            ),
            "The payment was declined: expired.",
        ),
        (
            CancellationStarted(REFUSED, reason="INSUFFICIENT_STOCK", short_skus=("lamp", "chair")),
            "There is too little of lamp, chair.",
        ),
        (
            CancellationStarted(REFUSED, reason="UNKNOWN_SKU", facts={"skus": "lmap"}),
            "We do not sell lmap.",
        ),
        (CancellationStarted(REFUSED, reason="PRICE_CHANGED"), "The price has changed"),
        (CancellationStarted(REFUSED, reason="RESERVATION_EXPIRED"), "not be settled in time"),
        (CancellationStarted(REFUSED, reason=""), "It could not be carried out."),
        (CancellationStarted(CancellationCause.DEADLINE_PASSED), "not be settled in time"),
        (
            CancellationStarted(CANCELLED, reason="two is one too many"),
            "asked for it: two is one too many",
        ),
        (CancellationStarted(CANCELLED), "You asked for it."),
    ],
)
def test_the_message_about_an_end_gives_the_reason(
    started: CancellationStarted, words: str
) -> None:
    """The reason arrives with the start of a cancellation and is in the message about its end."""
    end = OrderRejected() if started.cause is REFUSED else OrderCancelled()
    (only,) = messages_after(OrderPlaced("ann"), started, end)
    assert words in only.body
    assert "Nothing was charged." in only.body


def test_the_start_of_a_cancellation_causes_no_message() -> None:
    """Only the end of an order causes a message, not the steps before it."""
    assert messages_after(OrderPlaced("ann"), CancellationStarted(CANCELLED)) == []


def test_an_order_that_was_never_placed_is_an_error() -> None:
    """A message about an order whose customer is unknown raises UnknownOrderError."""
    with pytest.raises(UnknownOrderError):
        messages_after(OrderConfirmed(PRICE))


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Money("USD", 5), "USD 0.05"),
        (Money("EUR", 100_000), "EUR 1000.00"),
        (Money("JPY", 1250), "JPY 1250"),
        (Money("KWD", 1250), "KWD 1.250"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount: Money, words: str) -> None:
    """An amount is written with the decimals that ISO 4217 gives its currency."""
    assert format_amount(amount) == words
