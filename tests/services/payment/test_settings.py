"""Settings of the payment service, and combinations that are refused."""

import pytest
from pydantic import ValidationError

from services.payment.settings import PaymentSettings


def test_the_times_are_those_of_the_driver() -> None:
    """The timing has the configured lease and call timeout, or the defaults."""
    usual = PaymentSettings(processor_url="sqlite:////book.db").timing
    own = PaymentSettings(
        processor_url="sqlite:////book.db", payment_lease_s=4, payment_call_timeout_s=1.5
    ).timing
    assert (usual.lease_s, usual.call_timeout_s) == (10.0, 4.0)
    assert (own.lease_s, own.call_timeout_s) == (4.0, 1.5)


def test_a_call_ends_well_within_its_lease() -> None:
    """A call timeout of half a lease or more is refused: no lease is renewed during a call."""
    with pytest.raises(
        ValidationError, match="TRADEPOST_PAYMENT_CALL_TIMEOUT_S: 2 is not less than half"
    ):
        PaymentSettings(
            processor_url="sqlite:////book.db", payment_lease_s=4, payment_call_timeout_s=2
        )
