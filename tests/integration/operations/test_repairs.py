"""A choreographed order that can't continue delays no other order, and can be repaired.

In a real suite, a constraint is added to the inventory's database that its code doesn't know: no
two reservations may contain a certain item.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid5

import pytest
from tradepost.event.v1 import event_service_pb2 as event_rpc
from tradepost.event.v1.event_pb2 import DeadLetter
from tradepost.order.v1.order_pb2 import Coordination, Order, OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest, GetOrderRequest

from tests.support.limits import WAIT_S
from tests.support.store.databases import tamper
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMESPACE = UUID("5b1d1a52-0002-4a0e-9d0f-6b8f0f6f2a11")
CONSUMER = "inventory-checkout-of-orders"
ORDERS = 6


async def choreographed(suite: BreakableSuite, *, run: str) -> list[CreateOrderRequest]:
    """Requests for the same orders in every run, with request_ids of the run."""
    requests = [await suite.a_request(60 + number) for number in range(ORDERS)]
    for number, request in enumerate(requests):
        request.request_id = str(uuid5(NAMESPACE, f"{run} {number}"))
        request.coordination = Coordination.COORDINATION_CHOREOGRAPHED
    return requests


async def dead_letters(suite: BreakableSuite) -> Sequence[DeadLetter]:
    """Wait until inventory has dead letters; return them."""
    request = event_rpc.ListDeadLettersRequest(consumer=CONSUMER)
    stub = suite.stubs.dead_letters["inventory"]
    async with asyncio.timeout(WAIT_S):
        while not (found := (await stub.ListDeadLetters(request)).dead_letters):
            await CLOCK.sleep(POLL_S)
    return found


def outcome(order: Order) -> tuple[int, int, list[tuple[str, int, int]]]:
    """The outcome of an order, without its ids and times."""
    lines = [(line.sku, line.quantity, line.unit_price.minor_units) for line in order.lines]
    return order.state, order.total.minor_units, lines


async def test_a_broken_order_delays_no_other_and_can_be_repaired(suite: BreakableSuite) -> None:
    """Other orders are confirmed while a broken one waits; after a repair it is confirmed, too.

    The books balance, and no dead letter is left.
    """
    healthy = [outcome(await suite.buy(each)) for each in await choreographed(suite, run="1st")]
    broken, *others = await choreographed(suite, run="2nd")
    database = suite.slots("inventory")[0].environment["DATABASE_URL"]
    item = broken.lines[0].sku
    tamper(database, f"CREATE UNIQUE INDEX broken ON reservation_line (sku) WHERE sku = '{item}'")

    waiting = asyncio.create_task(suite.buy(broken))
    (letter,) = await dead_letters(suite)
    confirmed = await asyncio.gather(*(suite.buy(each) for each in others))
    order_id = letter.event.aggregate_id
    held_up = await suite.stubs.orders.GetOrder(GetOrderRequest(order_id=order_id))
    assert held_up.order.state == OrderState.ORDER_STATE_RESERVING
    assert {order.state for order in confirmed} == {OrderState.ORDER_STATE_CONFIRMED}

    tamper(database, "DROP INDEX broken")
    await suite.stubs.dead_letters["inventory"].ReplayDeadLetters(
        event_rpc.ReplayDeadLettersRequest(
            request_id=str(uuid5(NAMESPACE, "replay")), consumer=CONSUMER, aggregate_id=order_id
        )
    )
    repaired = await waiting
    assert repaired.order_id == order_id
    assert [outcome(order) for order in (repaired, *confirmed)] == healthy
    assert await suite.wrong_books() == []
