"""What customers are told, word for word where it matters."""

import pytest

from services.chassis.domain.money import Money
from services.notification.domain.rules import (
    Brief,
    Cancelled,
    Cause,
    Confirmed,
    Ending,
    Fact,
    Fulfilled,
    Notice,
    Placed,
    Refunded,
    Rejected,
    Template,
    UnknownOrderError,
    evolve,
    notice,
    say,
)

PRICE = Money("USD", 1250)


def told(*facts: Fact) -> list[Notice]:
    """The notices that the life of an order brings about."""
    brief, notices = Brief("ord_1"), []
    for fact in facts:
        brief = evolve(brief, fact)
        notices.append(notice(brief, fact))
    return [each for each in notices if each is not None]


@pytest.mark.parametrize(
    ("facts", "template", "words"),
    [
        ((Confirmed(PRICE),), Template.CONFIRMED, "is confirmed, and USD 12.50 was paid"),
        ((Cancelled(),), Template.CANCELLED, "was cancelled"),
        ((Refunded(PRICE),), Template.REFUNDED, "USD 12.50 is on its way back to you"),
        ((Confirmed(PRICE), Fulfilled()), Template.FULFILLED, "over USD 12.50 is on its way"),
        ((Rejected(),), Template.REJECTED, "could not accept your order"),
    ],
)
def test_each_end_has_its_template(facts: tuple[Fact, ...], template: Template, words: str) -> None:
    """Subject and text say what happened, to whom, and to which order."""
    *_, last = told(Placed("ann"), *facts)
    assert last.template is template
    assert words in last.body
    assert "customer ann" in last.body
    assert "ord_1" in last.subject


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(Cause.REFUSED, reason="PAYMENT_DECLINED"), "The payment was declined."),
        (
            Ending(Cause.REFUSED, reason="PAYMENT_DECLINED", facts={"decline_code": "EXPIRED"}),
            "The payment was declined: expired.",
        ),
        (
            Ending(Cause.REFUSED, reason="INSUFFICIENT_STOCK", short_skus=("lamp", "chair")),
            "There is too little of lamp, chair.",
        ),
        (
            Ending(Cause.REFUSED, reason="UNKNOWN_SKU", facts={"skus": "lmap"}),
            "We do not sell lmap.",
        ),
        (Ending(Cause.REFUSED, reason="PRICE_CHANGED"), "The price has changed"),
        (Ending(Cause.REFUSED, reason="RESERVATION_EXPIRED"), "not be settled in time"),
        (Ending(Cause.REFUSED, reason=""), "It could not be carried out."),
        (Ending(Cause.DEADLINE_PASSED), "not be settled in time"),
        (
            Ending(Cause.CANCELLED, reason="two is one too many"),
            "asked for it: two is one too many",
        ),
        (Ending(Cause.CANCELLED), "You asked for it."),
    ],
)
def test_who_is_refused_is_told_why(ending: Ending, words: str) -> None:
    """The reason comes before the end, and is kept until then."""
    final = Rejected() if ending.cause is Cause.REFUSED else Cancelled()
    (only,) = told(Placed("ann"), ending, final)
    assert words in only.body
    assert "Nothing was charged." in only.body


def test_steps_on_the_way_tell_nothing() -> None:
    """Nobody wants mail because something is about to end."""
    assert told(Placed("ann"), Ending(Cause.CANCELLED)) == []


def test_an_order_that_nobody_placed_is_an_error() -> None:
    """There is nobody to tell, and it is no reason to forget it."""
    with pytest.raises(UnknownOrderError):
        told(Confirmed(PRICE))


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
    """Minor units are not always cents."""
    assert say(amount) == words
