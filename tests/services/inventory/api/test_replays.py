"""One request_id, one effect: replays, reuse, and what is not remembered."""

import pytest
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import reservation_pb2 as pb

from services.chassis.request.errors import RequestIdReusedError
from services.inventory.domain.errors import ReservationAlreadyExistsError, ReservationNotFoundError
from services.inventory.wire import requests
from tests.support.inventory.inventory_in_memory import InventoryInMemory, reserve, rsv


def test_another_request_cannot_make_the_same_reservation(shop: InventoryInMemory) -> None:
    """A reservation belongs to the request that made it."""
    shop.stocks("apple", 2)
    shop.reserves("1", apple=1)

    with pytest.raises(ReservationAlreadyExistsError):
        shop.reserves("1", apple=1)


def test_a_repeated_request_gets_the_first_answer(shop: InventoryInMemory) -> None:
    """A replay answers what was answered, whatever became of the reservation since."""
    shop.stocks("apple", 2)
    intention = requests.reserve_stock(reserve("1", apple=1))
    first = shop.write(shop.reservations.reserve, intention)
    shop.commits("1")

    again = shop.write(shop.reservations.reserve, intention)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.response == first.response
    assert shop.counts("apple") == (2, 0, 1)


def test_two_ways_to_say_the_same_are_one_request(shop: InventoryInMemory) -> None:
    """The order of the lines, and how a SKU is spread over them, make no difference."""
    shop.stocks("apple", 9)
    shop.stocks("pear", 9)
    request = reserve("1", apple=3, pear=1)
    first = shop.sends(request)
    del request.lines[:]
    request.lines.add(sku="pear", quantity=1)
    request.lines.add(sku="apple", quantity=2)
    request.lines.add(sku="apple", quantity=1)

    assert shop.sends(request) == first


def test_one_request_id_has_one_meaning(shop: InventoryInMemory) -> None:
    """A used request_id with other lines is refused and takes nothing."""
    shop.stocks("apple", 9)
    request = reserve("1", apple=3)
    shop.sends(request)
    request.lines[0].quantity = 4

    with pytest.raises(RequestIdReusedError):
        shop.sends(request)
    assert shop.counts("apple") == (9, 3, 0)


def test_what_is_refused_as_an_error_is_not_remembered(shop: InventoryInMemory) -> None:
    """A request that was answered with an error can be sent again with another outcome."""
    shop.stocks("apple", 9)
    request = rpc.CommitReservationRequest(
        request_id="11111111-1111-1111-1111-111111111111", reservation_id=rsv("1")
    )
    intention = requests.commit_reservation(request)
    with pytest.raises(ReservationNotFoundError):
        shop.write(shop.reservations.commit, intention)
    shop.reserves("1", apple=1)

    answer = shop.write(shop.reservations.commit, intention)

    assert answer.response.reservation.state == pb.RESERVATION_STATE_COMMITTED
