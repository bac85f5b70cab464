"""The rules of refunds as pure functions: never more than was taken, what is pending counted."""

import pytest

from services.payment.domain import commands
from services.payment.domain.errors import (
    AmountExceedsRefundableError,
    CurrencyMismatchError,
    PaymentStateConflictError,
)
from services.payment.domain.ledger import Account
from services.payment.domain.processor_calls import RefundCall, next_call
from services.payment.domain.state import DeclineCode, RefundState
from tests.support.payment.payment_in_memory import (
    AUTHORIZED,
    PRICE,
    PaymentInMemory,
    authorize,
    capture,
    refund,
    void,
)

CAPTURED = (authorize(), AUTHORIZED, capture(), commands.Captured())
DECLINED = (authorize(), commands.Declined(DeclineCode.LOST_OR_STOLEN))
VOIDED = (authorize(), AUTHORIZED, void(), commands.Voided())


def test_a_refund_without_an_amount_gives_back_what_is_left() -> None:
    """What is still on its way counts as gone."""
    drawer = PaymentInMemory(
        *CAPTURED, refund(300), refund(200, "refund_2"), commands.Refunded("refund_1")
    )
    drawer.tell(refund(None, "refund_3"))

    assert [each.amount.minor_units for each in drawer.payment.refunds] == [300, 200, 500]
    assert drawer.payment.refundable_minor == 0


def test_refunds_are_asked_for_one_after_the_other() -> None:
    """The oldest pending one first, each under its own key."""
    drawer = PaymentInMemory(*CAPTURED, refund(300), refund(200, "refund_2"))

    intent = next_call(drawer.payment)
    assert isinstance(intent, RefundCall)
    assert intent.key == "refund_1"
    drawer.tell(commands.Refunded("refund_1"))
    intent = next_call(drawer.payment)
    assert isinstance(intent, RefundCall)
    assert intent.key == "refund_2"


def test_a_refund_that_was_refused_may_be_asked_for_again() -> None:
    """A failed refund took nothing from what is left."""
    drawer = PaymentInMemory(*CAPTURED, refund(), commands.RefundRefused("refund_1", "closed"))

    assert drawer.payment.refunds[0].state is RefundState.FAILED
    assert drawer.payment.refunds[0].refusal is not None
    assert drawer.payment.refunds[0].refusal.facts == {"processor_code": "closed"}
    assert drawer.balance(Account.PROCESSOR_CLEARING) == PRICE.minor_units
    assert drawer.tell(refund(None, "refund_2")) != ()


def test_more_than_was_taken_cannot_go_back() -> None:
    """The error tells how much is left."""
    drawer = PaymentInMemory(*CAPTURED, refund(300))

    with pytest.raises(AmountExceedsRefundableError) as raised:
        drawer.tell(refund(701, "refund_2"))
    assert raised.value.facts["requested"] == "701"
    assert raised.value.facts["refundable"] == "700"


def test_nothing_is_left_of_what_went_back() -> None:
    """A refund of everything, when everything is gone, is an error too."""
    with pytest.raises(AmountExceedsRefundableError):
        PaymentInMemory(*CAPTURED, refund()).tell(refund(None, "refund_2"))


def test_money_goes_back_in_its_own_currency() -> None:
    """Dollars are not euros."""
    with pytest.raises(CurrencyMismatchError):
        PaymentInMemory(*CAPTURED).tell(refund(100, currency="EUR"))


@pytest.mark.parametrize("told", [(authorize(),), VOIDED, DECLINED, (authorize(), AUTHORIZED)])
def test_only_what_was_taken_goes_back(told: tuple[commands.Command, ...]) -> None:
    """There is no refund of what was never captured."""
    with pytest.raises(PaymentStateConflictError):
        PaymentInMemory(*told).tell(refund())
