"""What an operator may set for payments, and what can't be right together."""

import pytest
from pydantic import ValidationError

from services.payment.settings import PaymentSettings


def test_the_times_are_those_of_the_driver() -> None:
    """A lease and a call of the operator's own, and the usual ones otherwise."""
    usual = PaymentSettings(processor_url="sqlite:////book.db").timing
    own = PaymentSettings(
        processor_url="sqlite:////book.db", payment_lease_s=4, payment_call_timeout_s=1.5
    ).timing
    assert (usual.lease_s, usual.call_timeout_s) == (10.0, 4.0)
    assert (own.lease_s, own.call_timeout_s) == (4.0, 1.5)


def test_a_call_ends_well_within_its_lease() -> None:
    """It is not renewed meanwhile, so settings that could outlast it stop the start."""
    with pytest.raises(ValidationError, match="payment_call_timeout_s 2 is not less than half"):
        PaymentSettings(
            processor_url="sqlite:////book.db", payment_lease_s=4, payment_call_timeout_s=2
        )
