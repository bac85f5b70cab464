"""The basket in the session, and the request_id of its order."""

from itertools import count
from typing import Any

import pytest

from services.storefront.pages import session_basket
from services.storefront.pages.session_basket import BasketFullError

NUMBERS = count(1)


def new_id() -> str:
    """An id that was not made before."""
    return f"id-{next(NUMBERS)}"


def test_units_add_up_and_none_takes_an_item_out() -> None:
    """Adding sums, changing sets."""
    session: dict[str, Any] = {}
    session_basket.add(session, "tea", 2)
    session_basket.add(session, "tea", 3)
    assert session_basket.quantities(session) == {"tea": 5}
    session_basket.put(session, "tea", 0)
    assert session_basket.quantities(session) == {}


def test_a_checkout_keeps_its_id_while_the_basket_stays() -> None:
    """So a lost answer or the back button makes no second order."""
    session: dict[str, Any] = {}
    session_basket.add(session, "tea", 2)
    first = session_basket.checkout_id(session, new_id)
    session_basket.put(session, "tea", 2)

    assert session_basket.checkout_id(session, new_id) == first


def test_another_basket_is_another_order() -> None:
    """A change, and a basket that was emptied and filled again, get a new id."""
    session: dict[str, Any] = {}
    session_basket.add(session, "tea", 2)
    ids = [session_basket.checkout_id(session, new_id)]
    session_basket.add(session, "jam", 1)
    ids.append(session_basket.checkout_id(session, new_id))
    session_basket.empty(session)
    session_basket.refill(session, [("tea", 2)])
    ids.append(session_basket.checkout_id(session, new_id))

    assert len(set(ids)) == 3


def test_a_basket_is_full_before_its_cookie_is() -> None:
    """Neither many items nor long SKUs grow the session without a bound."""
    many: dict[str, Any] = {}
    for number in range(session_basket.MAX_LINES):
        session_basket.add(many, f"sku-{number}", 1)
    with pytest.raises(BasketFullError):
        session_basket.add(many, "one-more", 1)
    long: dict[str, Any] = {}
    with pytest.raises(BasketFullError):
        session_basket.refill(long, [(f"{number:064d}", 1) for number in range(10)])
    assert len(session_basket.quantities(many)) == session_basket.MAX_LINES


def test_a_quantity_has_a_bound() -> None:
    """More than 999 units of an item are 999."""
    session: dict[str, Any] = {}
    session_basket.add(session, "tea", 999)
    session_basket.add(session, "tea", 999)
    assert session_basket.quantities(session) == {"tea": 999}
