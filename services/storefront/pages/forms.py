"""Reads forms and queries. What no form of ours sends is answered with 400."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.chassis.domain.money import MAX_AMOUNT_MINOR, Money
from services.storefront.pages.session_basket import MAX_QUANTITY

MAX_SEARCH_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class CheckoutForm:
    """An order as its customer saw and sent it."""

    request_id: str
    lines: tuple[tuple[str, int], ...]
    payment_method: str
    expected_total: Money


def quantity_of(form: FormData) -> int:
    """Return how many units are wanted: 0 to 999. Raises HTTPException."""
    return _number(_text(form, "quantity"), maximum=MAX_QUANTITY)


def sku_of(form: FormData) -> str:
    """Return the item. Raises HTTPException."""
    return _text(form, "sku")


def search_of(request: Request) -> str:
    """Return what is looked for; "" is everything."""
    return " ".join(request.query_params.get("q", "").split())[:MAX_SEARCH_CHARACTERS]


def checkout_form(form: FormData) -> CheckoutForm:
    """Return the order of a checkout's form. Raises HTTPException."""
    skus, numbers = _texts(form, "line_sku"), _texts(form, "line_quantity")
    if not skus or len(skus) != len(numbers):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    total = _number(_text(form, "total_minor"), maximum=MAX_AMOUNT_MINOR)
    return CheckoutForm(
        request_id=_text(form, "request_id"),
        lines=tuple(
            (sku, _number(text, maximum=MAX_QUANTITY))
            for sku, text in zip(skus, numbers, strict=True)
        ),
        payment_method=_text(form, "payment_method"),
        expected_total=Money(_text(form, "total_currency"), total),
    )


def _texts(form: FormData, name: str) -> Sequence[str]:
    return [each for each in form.getlist(name) if isinstance(each, str)]


def _text(form: FormData, name: str) -> str:
    found = _texts(form, name)
    if len(found) != 1 or not found[0]:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    return found[0]


def _number(text: str, *, maximum: int) -> int:
    """Return a whole number that is not negative."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(maximum)):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    return min(int(text), maximum)
