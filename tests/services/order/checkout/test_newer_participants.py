"""Participants and instances of newer versions: what this one does not know holds the order."""

import asyncio

import pytest
from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1.inventory_event_pb2 import (
    RESERVATION_ORIGIN_CHOREOGRAPHED,
    ReservationRejected,
)
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.admin.v1.saga_pb2 import Saga
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.request.enum_numbers import UnknownEnumValueError
from services.chassis.work.driver import REVIEW_AFTER_ATTEMPTS
from services.order.checkout.participant_events import read_event
from services.order.store.tables import MIGRATIONS
from tests.support.chassis.rich_status import refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.order.order_service import Instance, OrderService, cancel_of, order_of
from tests.support.order.scripted_failures import NewerAnswer
from tests.support.store.databases import Databases, tamper


@pytest.fixture
async def orders(databases: Databases) -> OrderService:
    """An order service whose time the test advances."""
    return OrderService(await databases.migrated(MIGRATIONS, "order"), clock=ManualClock())


async def place(instance: Instance) -> str:
    """Place an order, without waiting for its outcome; return its id."""
    call = asyncio.ensure_future(instance.orders.CreateOrder(order_of("ann")))
    async with asyncio.timeout(WAIT_S):
        while not (listed := (await instance.orders.ListOrders(rpc.ListOrdersRequest())).orders):
            pass
    call.cancel()
    return listed[0].order_id


async def in_review(orders: OrderService, instance: Instance) -> Saga:
    """Let time pass until a saga needs review, and return it."""
    request = admin.ListSagasRequest(needs_review=True)
    async with asyncio.timeout(WAIT_S):
        while not (listed := (await instance.admin.ListSagas(request)).sagas):
            await advance(orders)
    return listed[0]


async def settled(orders: OrderService, instance: Instance, order_id: str) -> order_pb2.Order:
    """Let time pass until an order has no saga any more, and return it."""
    async with asyncio.timeout(WAIT_S):
        while (await instance.admin.ListSagas(admin.ListSagasRequest())).sagas:
            await advance(orders)
    return (await instance.orders.GetOrder(rpc.GetOrderRequest(order_id=order_id))).order


async def advance(orders: OrderService) -> None:
    """Advance the time of the service, by less than the deadline of an order."""
    assert isinstance(orders.clock, ManualClock)
    await orders.clock.advance(0.5)


async def test_an_unknown_state_holds_the_order_for_review(orders: OrderService) -> None:
    """A state of a newer contract is no failure: the step is repeated and gets a review that names
    the number, and the order goes on by itself when the answer is understood.
    """
    orders.script.always["CapturePayment"] = NewerAnswer.STATE
    async with orders.instance() as instance:
        order_id = await place(instance)
        saga = await in_review(orders, instance)
        assert (saga.order_id, saga.step, saga.attempt) == (order_id, "capture", 1)
        assert saga.review_reason.startswith("UnknownEnumValueError: CaptureState 99 is unknown")
        assert saga.unknown_count >= REVIEW_AFTER_ATTEMPTS

        orders.release()
        order = await settled(orders, instance, order_id)
    assert order.state == order_pb2.ORDER_STATE_CONFIRMED


@pytest.mark.parametrize("step", ["ReserveStock", "AuthorizePayment", "CommitReservation"])
async def test_an_unknown_state_before_the_pivot_ends_with_the_deadline(
    orders: OrderService, step: str
) -> None:
    """Before the pivot the deadline cancels the order, whatever a participant answers. What the
    compensations answer must be understood before it ends.
    """
    undo = "ReleaseReservation" if step == "ReserveStock" else "VoidPayment"
    orders.script.always |= {step: NewerAnswer.STATE, undo: NewerAnswer.STATE}
    async with orders.instance() as instance:
        order_id = await place(instance)
        held = await in_review(orders, instance)
        while held.state != order_pb2.ORDER_STATE_CANCELLING:
            await advance(orders)
            held = await in_review(orders, instance)

        orders.release()
        order = await settled(orders, instance, order_id)
    assert order.state == order_pb2.ORDER_STATE_CANCELLED
    assert order.cause == order_pb2.ORDER_CAUSE_DEADLINE_PASSED


async def test_an_unknown_state_of_a_refund_is_no_failure(orders: OrderService) -> None:
    """A refund in a state of a newer contract is repeated under the same request_id."""
    async with orders.instance() as instance:
        order = (await instance.orders.CreateOrder(order_of("ann"))).order
        orders.script.always["RefundPayment"] = NewerAnswer.STATE
        call = asyncio.ensure_future(instance.orders.CancelOrder(cancel_of(order.order_id)))
        saga = await in_review(orders, instance)
        assert saga.state == order_pb2.ORDER_STATE_REFUNDING
        assert "RefundState 99" in saga.review_reason

        orders.release()
        refunded = await settled(orders, instance, order.order_id)
        call.cancel()
    assert refunded.state == order_pb2.ORDER_STATE_REFUNDED


async def test_an_event_of_a_newer_version_holds_its_order_alone(orders: OrderService) -> None:
    """An order with an event that this version cannot read is refused with a named error, is
    listed for operators, and goes on where the event is understood; others are untouched.
    """
    orders.script.always["CapturePayment"] = NewerAnswer.STATE
    known, unknown = "tradepost.order.v1.CaptureRequested", "tradepost.order.v9.CaptureRequested"
    rename = "UPDATE event SET type = '{}' WHERE type = '{}'"
    async with orders.instance() as instance:
        order_id = await place(instance)
        await in_review(orders, instance)
    tamper(orders.url, rename.format(unknown, known))
    orders.release()
    async with orders.instance("older") as instance:
        failed = await refusal(instance.orders.GetOrder(rpc.GetOrderRequest(order_id=order_id)))
        (saga,) = (await instance.admin.ListSagas(admin.ListSagasRequest())).sagas
        other = (await instance.orders.CreateOrder(order_of("bob"))).order
        listed = (await instance.orders.ListOrders(rpc.ListOrdersRequest())).orders
    tamper(orders.url, rename.format(known, unknown))
    async with orders.instance("newer") as instance:
        order = await settled(orders, instance, order_id)

    assert failed.reason == "STORED_BY_NEWER_VERSION"
    assert failed.facts == {"order_id": order_id, "version": "4", "event_type": unknown}
    assert (saga.order_id, saga.needs_review) == (order_id, True)
    assert unknown in saga.review_reason
    assert len(listed) == 2
    assert other.state == order.state == order_pb2.ORDER_STATE_CONFIRMED


def test_a_report_with_an_unknown_reason_is_refused_by_name() -> None:
    """A choreographed order does not guess, either: the consumer parks the event with this error,
    and a newer version replays it.
    """
    fact = ReservationRejected(origin=RESERVATION_ORIGIN_CHOREOGRAPHED)
    refusal = type(fact.refusal).FromString(b"\x08\x63")
    fact.refusal.CopyFrom(refusal)
    event = Event(type=fact.DESCRIPTOR.full_name)
    event.payload.value = fact.SerializeToString()

    with pytest.raises(UnknownEnumValueError, match="ReservationRefusalReason 99 is unknown"):
        read_event(event)
