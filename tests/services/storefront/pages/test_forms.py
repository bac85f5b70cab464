"""Forms that no page of the shop sends are refused."""

import pytest
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from services.chassis.domain.money import Money
from services.storefront.pages.forms import checkout_form, quantity_of

GOOD: list[tuple[str, str | UploadFile]] = [
    ("request_id", "r-1"),
    ("line_sku", "jam"),
    ("line_quantity", "1"),
    ("line_sku", "tea"),
    ("line_quantity", "2"),
    ("payment_method", "pm_visa"),
    ("total_minor", "899"),
    ("total_currency", "USD"),
]


def test_a_checkout_form_is_the_whole_order() -> None:
    """Lines, total, way of paying and request_id: sent again, it is the same request."""
    form = checkout_form(FormData(GOOD))

    assert form.lines == (("jam", 1), ("tea", 2))
    assert form.expected_total == Money("USD", 899)
    assert (form.request_id, form.payment_method) == ("r-1", "pm_visa")


@pytest.mark.parametrize("left_out", sorted({name for name, _ in GOOD}))
def test_a_checkout_form_without_a_field_is_refused(left_out: str) -> None:
    """400, and nothing is ordered."""
    with pytest.raises(HTTPException) as refused:
        checkout_form(FormData([pair for pair in GOOD if pair[0] != left_out]))
    assert refused.value.status_code == 400


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "٣", "9999999999"])
def test_a_quantity_is_a_small_whole_number(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(HTTPException):
        quantity_of(FormData([("quantity", text)]))
