"""The order service and its participants name the same steps by the same ids."""

from functools import partial
from typing import Any

import pytest
from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1.inventory_event_pb2 import ReservationHeld
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_event_pb2 import CaptureRequested, OrderPlaced
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from services.chassis.saga.model import StepCall, step_id
from services.order.checkout.inventory_calls import InventoryCalls
from services.order.checkout.payment_calls import PaymentCalls
from services.order.domain import steps
from services.order.domain.events import Coordination
from services.order.domain.state import OrderState
from tests.support.simulation.new_simulation import village_of
from tests.support.simulation.order_stepper import order_of
from tests.support.simulation.participants import Door, as_channel
from tests.support.store.databases import sqlite_databases


def without_step_ids(event: Event, older: frozenset[str]) -> Event:
    """The event as a service recorded it before facts carried step ids, where its feed is older."""
    fact: Any
    match event.feed if event.feed in older else "", event.type.rpartition(".")[2]:
        case "order", "OrderPlaced":
            fact = OrderPlaced.FromString(event.payload.value)
            fact.ClearField("step_ids")
        case "order", "CaptureRequested":
            fact = CaptureRequested.FromString(event.payload.value)
            fact.ClearField("capture_request_id")
        case "inventory", "ReservationHeld":
            fact = ReservationHeld.FromString(event.payload.value)
            fact.ClearField("step_ids")
        case _:
            return event
    event.payload.value = fact.SerializeToString()
    return event


@pytest.mark.parametrize("quantity", [2, 1_000_000])
@pytest.mark.parametrize("older", [(), ("order",), ("inventory",)])
async def test_a_call_after_the_event_is_the_same_request(
    quantity: int, older: tuple[str, ...]
) -> None:
    """A participant that took a step because of an event repeats nothing when it is called.

    The call is the same request to the byte and gets the stored answer. This holds too where an
    older version of a service recorded facts that carry no step ids.
    """
    with sqlite_databases() as databases:
        async with village_of(databases, 1, units={"milk": 2_000_000}) as village:
            village.delivered = partial(without_step_ids, older=frozenset(older))
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
            calls: dict[str, Any] = {
                steps.RESERVE: stock.reserve,
                steps.AUTHORIZE: money.authorize,
                steps.COMMIT: stock.commit,
                steps.CAPTURE: money.capture,
            }
            for name, call in calls.items():
                await call(order, StepCall(step_id(order_id, name, 1), 3.0))
            assert [await house.database.read(house.log.head) for house in houses] == heads
