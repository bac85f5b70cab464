"""Somebody used the request id of an order's step for something else: the order ends nevertheless.

A step before the capture is undone like one that failed. Any other waits for RetrySaga, which takes
it under a new request id.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from tradepost.inventory.v1.inventory_service_pb2 import GetReservationRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.inventory.v1.reservation_pb2 import ReservationState
from tradepost.payment.v1.payment_pb2 import PaymentState
from tradepost.payment.v1.payment_service_pb2 import ListPaymentsRequest
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from services.chassis.saga.model import step_id
from services.order.domain import steps
from services.order.domain.events import Cause, Coordination, Refusal, RefusalReason
from services.order.domain.reviews import REQUEST_ID_REUSED
from services.order.domain.state import Order, OrderState, Review
from tests.support.simulation.in_process_channel import channel_to
from tests.support.simulation.simulated_order import order_request
from tests.support.simulation.simulated_suite import SimulatedSuite
from tests.support.simulation.simulation_setup import open_simulated_suite
from tests.support.simulation.used_request_ids import SKU, use_up
from tests.support.store.databases import Databases


@dataclass(frozen=True)
class Life:
    """How an order comes to a step, its state once the step's review has ended, and the stock's."""

    end: OrderState
    reservation: str
    cancel_at: int | None = None
    is_cancelled: bool = False
    is_returned: bool = False


FULFILLED = Life(OrderState.FULFILLED, "FULFILLED")
CANCELLED = Life(OrderState.CANCELLED, "RELEASED", cancel_at=3)
REFUNDED = Life(OrderState.REFUNDED, "RELEASED", is_cancelled=True)
RETURNED = Life(OrderState.RETURNED, "FULFILLED", is_returned=True)
AFTER_THE_PIVOT = (
    (steps.CAPTURE, FULFILLED),
    (steps.FULFILL, FULFILLED),
    (steps.VOID, CANCELLED),
    (steps.RELEASE, CANCELLED),
    (steps.RELEASE, REFUNDED),
    (steps.REFUND, REFUNDED),
    (steps.RESTOCK, RETURNED),
    (steps.REFUND_RETURN, RETURNED),
)


@pytest.mark.parametrize(
    ("step", "life"),
    AFTER_THE_PIVOT,
    ids=[f"{step}-{life.end.name}" for step, life in AFTER_THE_PIVOT],
)
async def test_a_retry_takes_a_step_under_a_new_request_id(
    databases: Databases, step: str, life: Life
) -> None:
    """The order asks for review and says why; RetrySaga ends that, and the effect comes once."""
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order = await lived(suite, step, life)
        assert order.review == Review(step, REQUEST_ID_REUSED)

        await suite.orders.retry(order.order_id)
        await suite.run_until_idle(until_review=True)
        if step == steps.CAPTURE:
            await suite.orders.fulfill(order.order_id)
            await suite.run_until_idle(until_review=True)

        order = await suite.orders.order(order.order_id)
        assert (order.state, order.review) == (life.end, None)
        await check_effects(suite, order, life.reservation)


@pytest.mark.parametrize("step", [steps.RESERVE, steps.AUTHORIZE, steps.COMMIT])
async def test_a_step_before_the_capture_is_undone(databases: Databases, step: str) -> None:
    """The order ends REJECTED by itself, says which step failed, and holds nothing."""
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order = await lived(suite, step, FULFILLED)

        failed = {"step": step, "reason": REQUEST_ID_REUSED}
        assert order.state is OrderState.REJECTED
        assert order.refusal == Refusal(RefusalReason.STEP_FAILED, failed)
        await check_effects(suite, order, "RELEASED")


@pytest.mark.parametrize("step", [steps.RESERVE, steps.AUTHORIZE, steps.COMMIT])
async def test_a_choreographed_order_is_undone_at_its_deadline(
    databases: Databases, step: str
) -> None:
    """The participant parks the event that asks for the step; the order ends by itself."""
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order = await lived(suite, step, FULFILLED, Coordination.CHOREOGRAPHED)

        assert (order.state, order.cause) == (OrderState.CANCELLED, Cause.DEADLINE_PASSED)
        await check_effects(suite, order, "RELEASED")


async def test_the_capture_of_a_choreographed_order_can_be_retried(databases: Databases) -> None:
    """Payment parks the event that asks for the capture; then the order asks itself."""
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order = await lived(suite, steps.CAPTURE, FULFILLED, Coordination.CHOREOGRAPHED)
        assert order.review == Review(steps.CAPTURE, REQUEST_ID_REUSED)

        await suite.orders.retry(order.order_id)
        await suite.run_until_idle(until_review=True)
        await suite.orders.fulfill(order.order_id)
        await suite.run_until_idle(until_review=True)

        order = await suite.orders.order(order.order_id)
        assert (order.state, order.review) == (OrderState.FULFILLED, None)
        await check_effects(suite, order, "FULFILLED")


async def test_the_step_that_undoes_can_be_retried_too(databases: Databases) -> None:
    """The review of a step that failed gives way to that of the step that can't undo it."""
    async with open_simulated_suite(databases, 1, units={SKU: 50}) as suite:
        order_id = await placed(suite, FULFILLED)
        await use_up(suite, steps.COMMIT, step_id(order_id, steps.COMMIT, 1))
        await use_up(suite, steps.VOID, step_id(order_id, steps.VOID, 1))
        await suite.run_until_idle(until_review=True)
        for _ in range(2):
            # The review of the failed step is there first, so look at the order again.
            await suite.advance(31.0)
            await suite.orders.claim_due()
            await suite.orders.drive_pending()
        order = await suite.orders.order(order_id)
        assert order.review == Review(steps.VOID, REQUEST_ID_REUSED)

        await suite.orders.retry(order_id)
        await suite.run_until_idle()

        order = await suite.orders.order(order_id)
        assert order.state is OrderState.REJECTED
        await check_effects(suite, order, "RELEASED")


async def lived(
    suite: SimulatedSuite,
    step: str,
    life: Life,
    coordination: Coordination = Coordination.ORCHESTRATED,
) -> Order:
    """Use up the id of a step, and take the order to that step."""
    order_id = await placed(suite, life, coordination)
    if not life.is_returned:
        await use_up(suite, step, step_id(order_id, step, 1))
    await suite.run_until_idle(until_review=True)
    if life.is_cancelled:
        await suite.orders.cancel(order_id)
    elif (await suite.orders.order(order_id)).state is OrderState.CONFIRMED:
        await suite.orders.fulfill(order_id)
    await suite.run_until_idle(until_review=True)
    if life.is_returned:
        await suite.orders.take_back(order_id)
        (returned,) = (await suite.orders.order(order_id)).returns
        await use_up(suite, step, step_id(returned.return_id, step, 1))
        await suite.run_until_idle(until_review=True)
    return await suite.orders.order(order_id)


async def placed(
    suite: SimulatedSuite, life: Life, coordination: Coordination = Coordination.ORCHESTRATED
) -> str:
    """Place an order of two units."""
    request = order_request(coordination, sku=SKU, quantity=2, method="pm_visa")
    return await suite.orders.place(request, cancel_at=life.cancel_at)


async def check_effects(suite: SimulatedSuite, order: Order, reservation: str) -> None:
    """Check that the order's stock and money are where its state says, once."""
    inventory: Any = InventoryServiceStub(channel_to(suite.inventory))
    answer = await inventory.GetReservation(
        GetReservationRequest(reservation_id=order.reservation_id)
    )
    assert answer.reservation.state == ReservationState.Value(f"RESERVATION_STATE_{reservation}")
    payment_stub: Any = PaymentServiceStub(channel_to(suite.payment))
    listed = await payment_stub.ListPayments(ListPaymentsRequest(order_id=order.order_id))
    total_minor = 0 if order.total is None else order.total.minor_units
    ended = {PaymentState.PAYMENT_STATE_VOIDED, PaymentState.PAYMENT_STATE_CAPTURED}
    for payment in listed.payments:
        assert payment.state in ended
        is_paid = order.state in {OrderState.FULFILLED, OrderState.REFUNDED, OrderState.RETURNED}
        is_back = order.state in {OrderState.REFUNDED, OrderState.RETURNED}
        assert payment.captured_amount.minor_units == (total_minor if is_paid else 0)
        assert payment.refunded_amount.minor_units == (total_minor if is_back else 0)
