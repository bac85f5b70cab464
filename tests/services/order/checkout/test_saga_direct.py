"""What somebody did at a participant directly is evidence, or a review that an operator can end."""

import grpc
import pytest
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.payment.v1 import payment_pb2 as pay

from services.order.checkout.checkout_leases import WrittenOrder
from services.order.domain.errors import OrderNotCancellableError, RetryCannotHelpError
from services.order.domain.events import Cause
from services.order.domain.reviews import RESERVATION_ENDED, RESERVATION_FULFILLED
from services.order.domain.state import Order, OrderState, Review
from services.order.parts import Parts
from tests.support.order.fake_participants import usd
from tests.support.order.scripted_failures import RefusedCall
from tests.support.order.stepped_sagas import SteppedSagas


async def confirmed(sagas: SteppedSagas, parts: Parts, *, method: str = "pm_visa") -> str:
    """Place an order and have it confirmed; return its id."""
    placed = await sagas.place(parts, method=method)
    await sagas.drive(parts, placed)
    assert (await sagas.load(parts, placed.order_id)).state is OrderState.CONFIRMED
    return placed.order_id


async def driven(sagas: SteppedSagas, parts: Parts, change: WrittenOrder) -> Order:
    """Drive a change and what is due in the next ten minutes; return the order."""
    await sagas.drive(parts, change)
    await sagas.drive_all(parts, at_most_s=600)
    return await sagas.load(parts, change.order_id)


def payment_of(sagas: SteppedSagas, order_id: str) -> pay.Payment:
    """Return the payment of an order."""
    payment = sagas.payment.of_order(order_id)
    assert payment is not None
    return payment


async def test_a_refund_by_hand_ends_the_review_of_a_refused_one(sagas: SteppedSagas) -> None:
    """An operator who gives the money back ends the order, without RetrySaga."""
    parts = await sagas.start()
    order_id = await confirmed(sagas, parts, method="pm_refund_refused")
    order = await driven(sagas, parts, await sagas.cancel(parts, order_id))
    assert (order.state, order.needs_review) == (OrderState.REFUNDING, True)
    payment = payment_of(sagas, order_id)
    payment.refunded_amount.CopyFrom(payment.captured_amount)
    await sagas.drive_all(parts)
    order = await sagas.load(parts, order_id)
    assert (order.state, order.needs_review) == (OrderState.REFUNDED, False)


async def test_what_another_refund_leaves_is_refunded_too(sagas: SteppedSagas) -> None:
    """An order waits for the refunds of others, and asks for the rest if one of them fails."""
    parts = await sagas.start()
    order_id = await confirmed(sagas, parts)
    payment = payment_of(sagas, order_id)
    payment.refund_pending_amount.CopyFrom(usd(50))
    order = await driven(sagas, parts, await sagas.cancel(parts, order_id))
    assert order.state is OrderState.REFUNDING
    assert payment.refunded_amount.minor_units == payment.captured_amount.minor_units - 50
    payment.refund_pending_amount.CopyFrom(usd(0))
    await sagas.drive_all(parts)
    order = await sagas.load(parts, order_id)
    assert (order.state, order.attempt_of("refund")) == (OrderState.REFUNDED, 2)
    sagas.check_amounts(order)


async def test_an_order_without_its_stock_is_cancelled_and_not_retried(
    sagas: SteppedSagas,
) -> None:
    """An order that can't be shipped may be cancelled, and RetrySaga refuses and says so."""
    parts = await sagas.start()
    order_id = await confirmed(sagas, parts)
    order = await sagas.load(parts, order_id)
    reservation = sagas.inventory.reservations[order.reservation_id]
    sagas.inventory.stock.update({line.sku: line.quantity for line in reservation.lines})
    reservation.state = rsv.RESERVATION_STATE_RELEASED
    fulfilling = await sagas.fulfill(parts, order_id)
    with pytest.raises(OrderNotCancellableError):
        await sagas.cancel(parts, order_id)
    order = await driven(sagas, parts, fulfilling)
    assert order.review == Review("fulfill", RESERVATION_ENDED)
    with pytest.raises(RetryCannotHelpError, match="CancelOrder"):
        await sagas.retry(parts, order_id)
    order = await driven(sagas, parts, await sagas.cancel(parts, order_id))
    assert (order.state, order.cause) == (OrderState.REFUNDED, Cause.CANCELLED)
    sagas.check_amounts(order)


async def test_goods_that_have_left_end_a_refund(sagas: SteppedSagas) -> None:
    """An order whose goods turn out to have left is FULFILLED, and keeps its money."""
    parts = await sagas.start()
    order_id = await confirmed(sagas, parts)
    order = await sagas.load(parts, order_id)
    reservation = sagas.inventory.reservations[order.reservation_id]
    reservation.state = rsv.RESERVATION_STATE_FULFILLED
    order = await driven(sagas, parts, await sagas.cancel(parts, order_id))
    assert (order.state, order.cause) == (OrderState.FULFILLED, Cause.NONE)
    sagas.check_amounts(order)


async def test_goods_that_left_unpaid_need_an_operator(sagas: SteppedSagas) -> None:
    """The order waits until RetrySaga accepts what happened; then it ends."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_not_captured")
    reservation_id = (await sagas.load(parts, placed.order_id)).reservation_id

    async def ship() -> None:
        reservation = sagas.inventory.reservations[reservation_id]
        reservation.state = rsv.RESERVATION_STATE_FULFILLED

    sagas.script.during["CapturePayment"] = ship
    order = await driven(sagas, parts, placed)
    assert (order.state, order.review) == (
        OrderState.CANCELLING,
        Review("release", RESERVATION_FULFILLED),
    )
    retried = await sagas.retry(parts, placed.order_id)
    order = await driven(sagas, parts, retried.written)
    assert (order.state, order.needs_review) == (OrderState.REJECTED, False)


@pytest.mark.parametrize(
    ("state", "end"),
    [
        (pay.PAYMENT_STATE_VOIDED, OrderState.REJECTED),
        (pay.PAYMENT_STATE_CAPTURED, OrderState.CONFIRMED),
    ],
)
async def test_a_capture_that_is_refused_for_too_many_attempts_ends(
    sagas: SteppedSagas, state: pay.PaymentState, end: OrderState
) -> None:
    """The order waits for review until somebody voids or captures the payment."""
    parts = await sagas.start()
    sagas.script.always["CapturePayment"] = RefusedCall(
        grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_ATTEMPTS"
    )
    placed = await sagas.place(parts)
    order = await driven(sagas, parts, placed)
    assert order.review == Review("capture", "TOO_MANY_ATTEMPTS")
    payment = payment_of(sagas, placed.order_id)
    payment.state = state
    if end is OrderState.CONFIRMED:
        payment.captured_amount.CopyFrom(payment.amount)
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (end, False)
    sagas.check_amounts(order)
