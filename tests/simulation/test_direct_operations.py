"""What somebody does at a participant directly, past the order, never leaves the order stuck.

Each test takes one life of an order and one operation, and places an order for each moment of that
life at which the operation is done. In the end every order is final, at once or by an operator's
exit, and the books of all of them balance.
"""

from dataclasses import dataclass

import pytest

from services.order.domain.events import Coordination
from services.order.domain.reviews import RESERVATION_FULFILLED
from services.order.domain.state import Order, OrderState, Review
from services.order.domain.steps import RELEASE
from tests.support.simulation.direct_operations import OPERATIONS, Moment, Operator, operate_at
from tests.support.simulation.simulated_books import wrong_equations
from tests.support.simulation.simulated_order import order_request
from tests.support.simulation.simulated_suite import SimulatedSuite
from tests.support.simulation.simulation_setup import open_simulated_suite
from tests.support.store.databases import Databases, sqlite_databases

CHECKOUT = (
    Moment("order", "OrderPlaced"),
    Moment("inventory", "ReservationHeld"),
    Moment("order", "StockReserved"),
    Moment("payment", "AuthorizationRequested"),
    Moment("payment", "PaymentAuthorized"),
    Moment("order", "PaymentAuthorized"),
)
CAPTURE = (
    Moment("inventory", "ReservationCommitted"),
    Moment("order", "CaptureRequested"),
    Moment("payment", "CaptureStarted"),
)
CONFIRM = (Moment("payment", "PaymentCaptured"), Moment("order", "OrderConfirmed"))


@dataclass(frozen=True)
class Life:
    """What becomes of an order that nobody interferes with, and its moments."""

    moments: tuple[Moment, ...]
    method: str = "pm_visa"
    cancel_at: int | None = None
    is_cancelled_at_last: bool = False
    is_returned_at_last: bool = False


LIVES = {
    "fulfilled": Life(
        (
            *CHECKOUT,
            *CAPTURE,
            *CONFIRM,
            Moment("order", "FulfillmentStarted"),
            Moment("inventory", "ReservationFulfilled"),
            Moment("order", "OrderFulfilled"),
        )
    ),
    "returned": Life(
        (
            Moment("order", "OrderFulfilled"),
            Moment("order", "ReturnStarted"),
            Moment("inventory", "ReservationReturned"),
            Moment("payment", "RefundRequested"),
            Moment("payment", "RefundSucceeded"),
            Moment("order", "ReturnCompleted"),
        ),
        is_returned_at_last=True,
    ),
    "refunded": Life(
        (
            *CHECKOUT,
            *CAPTURE,
            *CONFIRM,
            Moment("order", "RefundStarted"),
            Moment("inventory", "ReservationReleased"),
            Moment("payment", "RefundRequested"),
            Moment("payment", "RefundSucceeded"),
            Moment("order", "OrderRefunded"),
        ),
        is_cancelled_at_last=True,
    ),
    "cancelled": Life(
        (
            *CHECKOUT,
            Moment("order", "CancellationStarted"),
            Moment("payment", "VoidRequested"),
            Moment("payment", "PaymentVoided"),
            Moment("inventory", "ReservationReleased"),
            Moment("order", "OrderCancelled"),
        ),
        cancel_at=3,
    ),
    "not captured": Life(
        (
            *CHECKOUT,
            *CAPTURE,
            Moment("payment", "CaptureRefused"),
            Moment("order", "CancellationStarted"),
            Moment("payment", "VoidRequested"),
            Moment("payment", "PaymentVoided"),
            Moment("inventory", "ReservationReleased"),
            Moment("order", "OrderRejected"),
        ),
        method="pm_capture_declined",
    ),
}


@pytest.mark.parametrize("coordination", Coordination)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("life", LIVES)
async def test_every_order_ends_and_the_books_balance(
    life: str, operation: str, coordination: Coordination
) -> None:
    """Whatever is done at a participant, and whenever, its order ends and the books balance."""
    with sqlite_databases() as databases:
        async with open_simulated_suite(databases, 1, units={"milk": 500}) as suite:
            for moment in LIVES[life].moments:
                order = await live(suite, LIVES[life], moment, operation, coordination)
                assert order.is_final, f"{moment}: {order.state.name}, {order.review}"
                assert suite.script.on_commit is None, f"{moment} never came"
            assert not await wrong_equations(suite)


# One conclusion of each step that reads its participant's state.
CONCLUSIONS = (
    ("refunded", "refund_everything", Moment("order", "OrderConfirmed")),
    ("fulfilled", "capture", Moment("order", "CaptureRequested")),
    ("fulfilled", "release", Moment("payment", "PaymentAuthorized")),
    ("cancelled", "capture_and_refund", Moment("order", "CancellationStarted")),
    ("not captured", "fulfill", Moment("inventory", "ReservationCommitted")),
)


@pytest.mark.parametrize(("life", "operation", "moment"), CONCLUSIONS)
async def test_both_databases_conclude_the_same(
    databases: Databases, life: str, operation: str, moment: Moment
) -> None:
    """Each conclusion is drawn on SQLite and on PostgreSQL."""
    async with open_simulated_suite(databases, 1, units={"milk": 500}) as suite:
        order = await live(suite, LIVES[life], moment, operation, Coordination.ORCHESTRATED)
        assert order.is_final, f"{order.state.name}, {order.review}"
        assert not await wrong_equations(suite)


async def live(
    suite: SimulatedSuite, life: Life, moment: Moment, operation: str, coordination: Coordination
) -> Order:
    """Take an order through its life, with an operation at one moment; return its end."""
    request = order_request(coordination, sku="milk", quantity=2, method=life.method)
    order_id = await suite.orders.place(request, cancel_at=life.cancel_at)
    operate_at(suite, moment, order_id, OPERATIONS[operation])
    await suite.run_until_idle(orders_first=life.cancel_at is not None, until_review=True)
    if life.is_cancelled_at_last:
        await suite.orders.cancel(order_id)
    elif (await suite.orders.order(order_id)).state is OrderState.CONFIRMED:
        await suite.orders.fulfill(order_id)
    await suite.run_until_idle(until_review=True)
    order = await suite.orders.order(order_id)
    if order.review == Review(RELEASE, RESERVATION_FULFILLED):
        await Operator(suite, order_id).take_back("milk", 2)
        await suite.orders.retry(order_id)
        await suite.run_until_idle()
    if life.is_returned_at_last:
        await suite.orders.take_back(order_id)
        await suite.run_until_idle(until_review=True)
    return await suite.orders.order(order_id)
