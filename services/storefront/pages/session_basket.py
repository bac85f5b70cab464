"""The basket in the session cookie: quantities by SKU, and the id of its checkout.

The id is the request_id of the order. It stays the same while the basket does, so that a double
click, a lost answer and the back button make one order; another basket is another intention.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

MAX_LINES = 30
MAX_QUANTITY = 999
# With the person's token, all of it has to fit into a cookie of 4 KiB.
MAX_SKU_CHARACTERS_IN_ALL = 600
_BASKET = "basket"
_CHECKOUT = "checkout"


class BasketFullError(Exception):
    """There is no room for a further item."""

    def __init__(self) -> None:
        super().__init__("the basket is full")


def quantities(session: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the basket: quantities by SKU."""
    return dict(session.get(_BASKET, {}))


def add(session: dict[str, Any], sku: str, quantity: int) -> None:
    """Put units into the basket. Raises BasketFullError."""
    put(session, sku, quantities(session).get(sku, 0) + quantity)


def put(session: dict[str, Any], sku: str, quantity: int) -> None:
    """Let the basket have so many units of an item; none take it out. Raises BasketFullError."""
    wanted = {**quantities(session), sku: min(quantity, MAX_QUANTITY)}
    if quantity <= 0:
        del wanted[sku]
    if len(wanted) > MAX_LINES or sum(map(len, wanted)) > MAX_SKU_CHARACTERS_IN_ALL:
        raise BasketFullError
    if wanted != quantities(session):
        empty(session)
        session[_BASKET] = wanted


def refill(session: dict[str, Any], lines: Iterable[tuple[str, int]]) -> None:
    """Put the lines of an order into the basket. Raises BasketFullError."""
    for sku, quantity in lines:
        add(session, sku, quantity)


def empty(session: dict[str, Any]) -> None:
    """Forget the basket and its checkout."""
    session.pop(_BASKET, None)
    session.pop(_CHECKOUT, None)


def checkout_id(session: dict[str, Any], new_request_id: Callable[[], str]) -> str:
    """Return the request_id of the order that this basket will be."""
    if _CHECKOUT not in session:
        session[_CHECKOUT] = new_request_id()
    return str(session[_CHECKOUT])
