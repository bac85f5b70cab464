"""One order of a choreographed checkout can't go on, and all the others do.

A real suite, whose inventory is made sick by a rule in its database that its code knows nothing
of: a second order may not ask for one certain item.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid5

import pytest
from tradepost.event.v1 import event_service_pb2 as event_rpc
from tradepost.event.v1.event_pb2 import DeadLetter
from tradepost.order.v1.order_pb2 import Coordination, Order, OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest, GetOrderRequest

from tests.support.store.databases import tamper
from tests.support.suite.breakable_suite import CLOCK, POLL_S, WAIT_S, BreakableSuite, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMESPACE = UUID("5b1d1a52-0002-4a0e-9d0f-6b8f0f6f2a11")
CONSUMER = "inventory-checkout-of-orders"
ORDERS = 6


async def choreographed(breakable: BreakableSuite, *, run: str) -> list[CreateOrderRequest]:
    """The same orders in every run, under ids of its own."""
    requests = [await breakable.a_request(60 + number) for number in range(ORDERS)]
    for number, request in enumerate(requests):
        request.request_id = str(uuid5(NAMESPACE, f"{run} {number}"))
        request.coordination = Coordination.COORDINATION_CHOREOGRAPHED
    return requests


async def create(breakable: BreakableSuite, request: CreateOrderRequest) -> Order:
    created = await breakable.stubs.orders.CreateOrder(request, timeout=WAIT_S)
    return await settled(breakable.stubs.orders, created.order.order_id)


async def parked(breakable: BreakableSuite) -> Sequence[DeadLetter]:
    """What inventory could not apply, as soon as there is something."""
    request = event_rpc.ListDeadLettersRequest(consumer=CONSUMER)
    stub = breakable.stubs.dead_letters["inventory"]
    async with asyncio.timeout(WAIT_S):
        while not (found := (await stub.ListDeadLetters(request)).dead_letters):
            await CLOCK.sleep(POLL_S)
    return found


def outcome(order: Order) -> tuple[int, int, list[tuple[str, int, int]]]:
    """What became of an order, without its ids and times."""
    lines = [(line.sku, line.quantity, line.unit_price.minor_units) for line in order.lines]
    return order.state, order.total.minor_units, lines


async def test_a_poisoned_order_delays_no_other_and_is_as_good_as_new(
    breakable: BreakableSuite,
) -> None:
    """All others are confirmed while it waits; after the repair a replay ends like a run without.

    The books balance, and nothing is left aside.
    """
    healthy = [
        outcome(await create(breakable, each)) for each in await choreographed(breakable, run="1st")
    ]
    sick, *others = await choreographed(breakable, run="2nd")
    database = breakable.slots("inventory")[0].environment["DATABASE_URL"]
    item = sick.lines[0].sku
    tamper(database, f"CREATE UNIQUE INDEX sick ON reservation_line (sku) WHERE sku = '{item}'")

    waiting = asyncio.create_task(create(breakable, sick))
    (letter,) = await parked(breakable)
    confirmed = await asyncio.gather(*(create(breakable, each) for each in others))
    order_id = letter.event.aggregate_id
    held_up = await breakable.stubs.orders.GetOrder(GetOrderRequest(order_id=order_id))
    assert held_up.order.state == OrderState.ORDER_STATE_RESERVING
    assert {order.state for order in confirmed} == {OrderState.ORDER_STATE_CONFIRMED}

    tamper(database, "DROP INDEX sick")
    await breakable.stubs.dead_letters["inventory"].ReplayDeadLetters(
        event_rpc.ReplayDeadLettersRequest(
            request_id=str(uuid5(NAMESPACE, "replay")), consumer=CONSUMER, aggregate_id=order_id
        )
    )
    repaired = await waiting
    assert repaired.order_id == order_id
    assert [outcome(order) for order in (repaired, *confirmed)] == healthy
    assert await breakable.wrong_books() == []
