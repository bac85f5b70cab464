"""The order service and its participants name the same steps by the same ids."""

from typing import Any

import pytest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from services.chassis.saga.model import StepCall, step_id
from services.inventory.checkout import consumer as stock_consumer
from services.order.checkout.inventory_calls import InventoryCalls
from services.order.checkout.payment_calls import PaymentCalls
from services.order.domain import state
from services.order.domain.events import Coordination
from services.order.domain.state import OrderState
from services.payment.checkout import consumer as money_consumer
from tests.support.simulation.new_simulation import village_of
from tests.support.simulation.order_stepper import order_of
from tests.support.simulation.participants import Door, as_channel
from tests.support.store.databases import sqlite_databases


def test_the_steps_have_one_name_each() -> None:
    """Other names would be other ids, and a step that both take would have two effects."""
    assert (stock_consumer.RESERVE, stock_consumer.COMMIT) == (state.RESERVE, state.COMMIT)
    assert (money_consumer.AUTHORIZE, money_consumer.CAPTURE) == (state.AUTHORIZE, state.CAPTURE)


@pytest.mark.parametrize("quantity", [2, 1_000_000])
async def test_a_call_after_the_event_is_the_same_request(quantity: int) -> None:
    """To the byte: the saga that asks for what was done gets the answer of then, and no effect."""
    with sqlite_databases() as databases:
        async with village_of(databases, 1, units={"milk": 2_000_000}) as village:
            request = order_of(
                Coordination.CHOREOGRAPHED, sku="milk", quantity=quantity, method="pm_visa"
            )
            order_id = await village.orders.place(request)
            await village.rest()
            order = await village.orders.order(order_id)
            assert order.state is OrderState.CONFIRMED
            houses = (village.stock, village.money)
            heads = [await house.database.read(house.log.head) for house in houses]
            stock = InventoryCalls(InventoryServiceStub(as_channel(Door(village.stock))))
            money = PaymentCalls(PaymentServiceStub(as_channel(Door(village.money))))
            steps: dict[str, Any] = {
                state.RESERVE: stock.reserve,
                state.AUTHORIZE: money.authorize,
                state.COMMIT: stock.commit,
                state.CAPTURE: money.capture,
            }
            for name, call in steps.items():
                await call(order, StepCall(step_id(order_id, name, 1), 3.0))
            assert [await house.database.read(house.log.head) for house in houses] == heads
