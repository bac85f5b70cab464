"""The rules of refunds, as pure functions."""

import pytest

from services.payment.domain import commands
from services.payment.domain.errors import (
    AmountExceedsRefundableError,
    CurrencyMismatchError,
    PaymentStateConflictError,
    TooManyAttemptsError,
)
from services.payment.domain.ledger import Account
from services.payment.domain.processor_calls import RefundCall, next_call
from services.payment.domain.refund_rules import MAX_PARTIAL_REFUNDS
from services.payment.domain.rules import MAX_CAPTURES
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
    """A refund without an amount refunds what is neither refunded nor pending."""
    memory = PaymentInMemory(
        *CAPTURED, refund(300), refund(200, "refund_2"), commands.Refunded("refund_1")
    )
    memory.apply(refund(None, "refund_3"))

    assert [each.amount.minor_units for each in memory.payment.refunds] == [300, 200, 500]
    assert memory.payment.refundable_minor == 0


def test_refunds_are_asked_for_one_after_the_other() -> None:
    """Refunds are sent one after the other, the oldest first, each under its own key."""
    memory = PaymentInMemory(*CAPTURED, refund(300), refund(200, "refund_2"))

    call = next_call(memory.payment)
    assert isinstance(call, RefundCall)
    assert call.key == "refund_1"
    memory.apply(commands.Refunded("refund_1"))
    call = next_call(memory.payment)
    assert isinstance(call, RefundCall)
    assert call.key == "refund_2"


def test_a_payment_has_a_limited_number_of_refunds() -> None:
    """After 100 refunds no partial one is accepted, but what is left can still be given back."""
    cents = [refund(1, f"refund_{number}") for number in range(MAX_PARTIAL_REFUNDS)]
    memory = PaymentInMemory(*CAPTURED, *cents)

    with pytest.raises(TooManyAttemptsError, match="has 100 refunds already"):
        memory.apply(refund(1, "one more"))
    memory.apply(refund(1, "refund_0"))
    memory.apply(refund(None, "the rest"))

    assert memory.payment.refundable_minor == 0


def test_a_payment_has_a_limited_number_of_captures() -> None:
    """Captures under ever new request_ids are refused once a payment has 100 of them."""
    refused = [capture(f"capture_{number}") for number in range(MAX_CAPTURES)]
    memory = PaymentInMemory(*VOIDED, *refused)

    with pytest.raises(TooManyAttemptsError, match="has 100 captures already"):
        memory.apply(capture("one more"))


def test_a_refund_that_was_refused_may_be_asked_for_again() -> None:
    """A failed refund leaves the refundable amount as it was."""
    memory = PaymentInMemory(*CAPTURED, refund(), commands.RefundRefused("refund_1", "closed"))

    assert memory.payment.refunds[0].state is RefundState.FAILED
    assert memory.payment.refunds[0].refusal is not None
    assert memory.payment.refunds[0].refusal.facts == {"processor_code": "closed"}
    assert memory.balance(Account.PROCESSOR_CLEARING) == PRICE.minor_units
    assert memory.apply(refund(None, "refund_2")) != ()


def test_more_than_was_taken_cannot_go_back() -> None:
    """A refund above the refundable amount is an error that names the amount."""
    memory = PaymentInMemory(*CAPTURED, refund(300))

    with pytest.raises(AmountExceedsRefundableError) as raised:
        memory.apply(refund(701, "refund_2"))
    assert raised.value.facts["requested"] == "701"
    assert raised.value.facts["refundable"] == "700"


def test_nothing_is_left_of_what_went_back() -> None:
    """A refund of everything is an error once everything is refunded."""
    with pytest.raises(AmountExceedsRefundableError):
        PaymentInMemory(*CAPTURED, refund()).apply(refund(None, "refund_2"))


def test_money_goes_back_in_its_own_currency() -> None:
    """A refund in another currency is an error."""
    with pytest.raises(CurrencyMismatchError):
        PaymentInMemory(*CAPTURED).apply(refund(100, currency="EUR"))


@pytest.mark.parametrize("given", [(authorize(),), VOIDED, DECLINED, (authorize(), AUTHORIZED)])
def test_only_what_was_taken_goes_back(given: tuple[commands.Command, ...]) -> None:
    """Only a captured payment can be refunded."""
    with pytest.raises(PaymentStateConflictError):
        PaymentInMemory(*given).apply(refund())
