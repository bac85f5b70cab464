"""A call for a step that a participant already took because of an event has no second effect."""

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
from tests.support.simulation.in_process_channel import channel_to
from tests.support.simulation.simulated_order import order_request
from tests.support.simulation.simulation_setup import open_simulated_suite
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
        async with open_simulated_suite(databases, 1, units={"milk": 2_000_000}) as suite:
            suite.convert_event = partial(without_step_ids, older=frozenset(older))
            request = order_request(
                Coordination.CHOREOGRAPHED, sku="milk", quantity=quantity, method="pm_visa"
            )
            order_id = await suite.orders.place(request)
            await suite.run_until_idle()
            order = await suite.orders.order(order_id)
            assert order.state is OrderState.CONFIRMED
            participants = (suite.inventory, suite.payment)
            heads = [await each.database.read(each.log.head) for each in participants]
            inventory = InventoryCalls(InventoryServiceStub(channel_to(suite.inventory)))
            payment = PaymentCalls(PaymentServiceStub(channel_to(suite.payment)))
            calls: dict[str, Any] = {
                steps.RESERVE: inventory.reserve,
                steps.AUTHORIZE: payment.authorize,
                steps.COMMIT: inventory.commit,
                steps.CAPTURE: payment.capture,
            }
            for name, call in calls.items():
                await call(order, StepCall(step_id(order_id, name, 1), 3.0))
            assert [await each.database.read(each.log.head) for each in participants] == heads
