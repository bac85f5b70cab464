"""Each request_id has one effect: replays, reuse, and requests that are not stored."""

import pytest
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import reservation_pb2 as pb

from services.chassis.request.errors import RequestIdReusedError
from services.inventory.domain.errors import ReservationAlreadyExistsError, ReservationNotFoundError
from services.inventory.wire import requests
from tests.support.inventory.inventory_in_memory import InventoryInMemory, reserve, rsv


def test_another_request_cannot_make_the_same_reservation(inventory: InventoryInMemory) -> None:
    """A second request for the same reservation is refused."""
    inventory.stocks("apple", 2)
    inventory.reserves("1", apple=1)

    with pytest.raises(ReservationAlreadyExistsError):
        inventory.reserves("1", apple=1)


def test_a_repeated_request_gets_the_first_answer(inventory: InventoryInMemory) -> None:
    """A replay returns the stored answer, even if the reservation has changed since."""
    inventory.stocks("apple", 2)
    intention = requests.reserve_stock(reserve("1", apple=1))
    first = inventory.write(inventory.reservations.reserve, intention)
    inventory.commits("1")

    again = inventory.write(inventory.reservations.reserve, intention)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.response == first.response
    assert inventory.counts("apple") == (2, 0, 1)


def test_two_ways_to_say_the_same_are_one_request(inventory: InventoryInMemory) -> None:
    """Requests are the same if their quantities per SKU are the same."""
    inventory.stocks("apple", 9)
    inventory.stocks("pear", 9)
    request = reserve("1", apple=3, pear=1)
    first = inventory.sends(request)
    del request.lines[:]
    request.lines.add(sku="pear", quantity=1)
    request.lines.add(sku="apple", quantity=2)
    request.lines.add(sku="apple", quantity=1)

    assert inventory.sends(request) == first


def test_one_request_id_has_one_meaning(inventory: InventoryInMemory) -> None:
    """A used request_id with other lines is refused and takes nothing."""
    inventory.stocks("apple", 9)
    request = reserve("1", apple=3)
    inventory.sends(request)
    request.lines[0].quantity = 4

    with pytest.raises(RequestIdReusedError):
        inventory.sends(request)
    assert inventory.counts("apple") == (9, 3, 0)


def test_what_is_refused_as_an_error_is_not_remembered(inventory: InventoryInMemory) -> None:
    """A request that failed with an error can be repeated with another outcome."""
    inventory.stocks("apple", 9)
    request = rpc.CommitReservationRequest(
        request_id="11111111-1111-1111-1111-111111111111", reservation_id=rsv("1")
    )
    intention = requests.commit_reservation(request)
    with pytest.raises(ReservationNotFoundError):
        inventory.write(inventory.reservations.commit, intention)
    inventory.reserves("1", apple=1)

    answer = inventory.write(inventory.reservations.commit, intention)

    assert answer.response.reservation.state == pb.RESERVATION_STATE_COMMITTED
