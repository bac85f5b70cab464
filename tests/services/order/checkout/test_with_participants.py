"""Checkouts with the real inventory and payment services, over real gRPC.

Each test runs twice: the order service calls the others, or they follow each other's events.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest
import pytest_asyncio
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_pb2 as pb
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.payment.v1 import payment_pb2 as pay
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc

from discovery.clock import SystemClock
from services.chassis.saga.model import step_id
from services.payment.processor.simulated.adapter import open_simulated_processor
from tests.support.chassis.rich_status import refusal
from tests.support.limits import WAIT_S
from tests.support.order.order_service import cancel_of, fulfill_of, new_request_id, order_of
from tests.support.order.three_real_services import UNITS, ThreeServices, three_real_services
from tests.support.store.databases import Databases

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_services(
    module_databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ThreeServices]:
    """Three services for all tests of the module."""
    url = f"sqlite:///{tmp_path_factory.mktemp('street')}/processor.db"
    async with (
        open_simulated_processor(url, clock=SystemClock(), owner="test") as processor,
        three_real_services(module_databases, processor) as three_services,
    ):
        yield three_services


@pytest.fixture(params=[pb.COORDINATION_ORCHESTRATED, pb.COORDINATION_CHOREOGRAPHED])
def three_services(
    running_services: ThreeServices, request: pytest.FixtureRequest
) -> ThreeServices:
    """The services, once for each way to coordinate a checkout."""
    return replace(running_services, coordination=request.param)


async def test_an_order_is_paid_and_allocated(three_services: ThreeServices) -> None:
    """The reservation is committed and the payment captured, both for the order's total."""
    order = await three_services.create(quantity=3)
    assert (order.state, order.total.minor_units) == (pb.ORDER_STATE_CONFIRMED, 750)
    reservation, payment = (
        await three_services.reservation(order),
        await three_services.payment(order),
    )
    assert (reservation.state, reservation.total) == (rsv.RESERVATION_STATE_COMMITTED, order.total)
    assert payment is not None
    assert (payment.state, payment.captured_amount) == (pay.PAYMENT_STATE_CAPTURED, order.total)
    assert payment.payment_id == order.payment_id


@pytest.mark.parametrize(
    ("sku", "quantity", "reason"),
    [
        ("milk", UNITS + 1, pb.ORDER_REFUSAL_REASON_INSUFFICIENT_STOCK),
        ("unicorn", 1, pb.ORDER_REFUSAL_REASON_UNKNOWN_SKU),
    ],
)
async def test_a_refused_reservation_rejects_the_order(
    three_services: ThreeServices, sku: str, quantity: int, reason: pb.OrderRefusalReason
) -> None:
    """Payment is never called."""
    order = await three_services.create(sku=sku, quantity=quantity)
    assert (order.state, order.refusal.reason) == (pb.ORDER_STATE_REJECTED, reason)
    assert await three_services.payment(order) is None


@pytest.mark.parametrize(
    ("method", "code"),
    [("pm_insufficient_funds", "INSUFFICIENT_FUNDS"), ("pm_nonsense", "UNKNOWN_METHOD")],
)
async def test_a_decline_is_rejected_and_released(
    three_services: ThreeServices, method: str, code: str
) -> None:
    """The order has the processor's own reason."""
    order = await three_services.create(method=method)
    assert order.state == pb.ORDER_STATE_REJECTED
    assert order.refusal.reason == pb.ORDER_REFUSAL_REASON_PAYMENT_DECLINED
    assert dict(order.refusal.facts) == {"decline_code": code}
    assert (await three_services.reservation(order)).state == rsv.RESERVATION_STATE_RELEASED


async def test_a_declined_capture_voids_and_releases(three_services: ThreeServices) -> None:
    """NOT_CAPTURED is evidence: first the void, then the release."""
    order = await three_services.create(method="pm_capture_declined")
    assert order.state == pb.ORDER_STATE_REJECTED
    assert order.refusal.reason == pb.ORDER_REFUSAL_REASON_PAYMENT_NOT_CAPTURED
    payment = await three_services.payment(order)
    assert payment is not None
    assert (payment.state, payment.captured_amount.minor_units) == (pay.PAYMENT_STATE_VOIDED, 0)
    assert (await three_services.reservation(order)).state == rsv.RESERVATION_STATE_RELEASED


async def test_an_authorization_that_is_too_short_never_passes_the_pivot(
    three_services: ThreeServices,
) -> None:
    """The processor's own expiry leaves no time to capture."""
    order = await three_services.create(method="pm_expiring")
    assert order.state == pb.ORDER_STATE_CANCELLED
    payment = await three_services.payment(order)
    assert payment is not None
    assert payment.state in (pay.PAYMENT_STATE_VOIDED, pay.PAYMENT_STATE_EXPIRED)
    assert not payment.captures


@pytest.mark.parametrize("method", ["pm_unavailable_before", "pm_unavailable_after", "pm_slow"])
async def test_an_unreliable_processor_charges_once(
    three_services: ThreeServices, method: str
) -> None:
    """A processor that fails before or after the effect, or answers late, charges once."""
    order = await three_services.create(method=method)
    assert order.state == pb.ORDER_STATE_CONFIRMED
    payment = await three_services.payment(order)
    assert payment is not None
    assert [capture.state for capture in payment.captures] == [pay.CAPTURE_STATE_CAPTURED]


async def test_a_repeated_request_joins_its_order(three_services: ThreeServices) -> None:
    """One request_id is one order; the same id with another coordination is refused."""
    request = order_of("twice", coordination=three_services.coordination)
    first, again = await asyncio.gather(
        *(three_services.orders.CreateOrder(request) for _ in range(2))
    )
    assert first.order == again.order
    assert first.order.state == pb.ORDER_STATE_CONFIRMED
    request.coordination = pb.COORDINATION_UNSPECIFIED
    refused = await refusal(three_services.orders.CreateOrder(request))
    assert refused.reason == "REQUEST_ID_REUSED"


async def test_a_confirmed_order_is_refunded_or_fulfilled(three_services: ThreeServices) -> None:
    """A cancelled order is refunded in full and released; a fulfilled one gives nothing back."""
    back = await three_services.create()
    leaves = await three_services.create()
    back = (await three_services.orders.CancelOrder(cancel_of(back.order_id))).order
    leaves = (await three_services.orders.FulfillOrder(fulfill_of(leaves.order_id))).order
    assert back.state == pb.ORDER_STATE_REFUNDED
    assert leaves.state == pb.ORDER_STATE_FULFILLED
    payment = await three_services.payment(back)
    assert payment is not None
    assert payment.refunded_amount == payment.captured_amount == back.total
    assert (await three_services.reservation(back)).state == rsv.RESERVATION_STATE_RELEASED
    assert (await three_services.reservation(leaves)).state == rsv.RESERVATION_STATE_FULFILLED


async def test_a_refund_that_is_refused_stays_refunding(three_services: ThreeServices) -> None:
    """It stays REFUNDING until an operator starts another attempt."""
    order = await three_services.create(method="pm_refund_declined")
    call = asyncio.ensure_future(three_services.orders.CancelOrder(cancel_of(order.order_id)))
    watch = rpc.WatchOrderRequest(order_id=order.order_id, follow=True)
    async for version in three_services.orders.WatchOrder(watch):
        if version.order.needs_review:
            break
    call.cancel()
    assert version.order.state == pb.ORDER_STATE_REFUNDING


async def test_a_payment_refunded_directly_is_refunded(three_services: ThreeServices) -> None:
    """An order whose payment an operator has refunded in full can be cancelled: it is REFUNDED."""
    order = await three_services.create()
    request = payment_rpc.RefundPaymentRequest(
        request_id=new_request_id(), payment_id=order.payment_id
    )
    await three_services.payments.RefundPayment(request)
    order = (await three_services.orders.CancelOrder(cancel_of(order.order_id))).order
    assert (order.state, order.needs_review) == (pb.ORDER_STATE_REFUNDED, False)
    payment = await three_services.payment(order)
    assert payment is not None
    assert payment.refunded_amount == payment.captured_amount == order.total


async def test_an_order_whose_stock_is_gone_is_cancelled(three_services: ThreeServices) -> None:
    """A confirmed order whose stock was released can't be shipped.

    Inventory refuses to release it under any request id but the order's own. After such a release
    the order waits for review, RetrySaga says that only CancelOrder helps, and that refunds it.
    """
    order = await three_services.create()
    release = inventory_rpc.ReleaseReservationRequest(
        request_id=new_request_id(),
        reservation_id=order.reservation_id,
        order_id=order.order_id,
        reason="CANCELLED",
    )
    refused = await refusal(three_services.inventory.ReleaseReservation(release))
    assert (refused.reason, refused.facts["order_id"]) == ("RESERVATION_OF_ORDER", order.order_id)
    release.request_id = step_id(order.order_id, "release", 1)
    await three_services.inventory.ReleaseReservation(release)
    call = asyncio.ensure_future(three_services.orders.FulfillOrder(fulfill_of(order.order_id)))
    watch = rpc.WatchOrderRequest(order_id=order.order_id, follow=True)
    async for version in three_services.orders.WatchOrder(watch):
        if version.order.needs_review:
            break
    call.cancel()
    retry = admin.RetrySagaRequest(request_id=new_request_id(), order_id=order.order_id)
    refused = await refusal(three_services.sagas.RetrySaga(retry))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "SAGA_NOT_RETRYABLE",
    )
    assert refused.facts["instead"] == "CancelOrder"
    order = (await three_services.orders.CancelOrder(cancel_of(order.order_id))).order
    assert order.state == pb.ORDER_STATE_REFUNDED


async def test_many_orders_at_once_agree_with_stock_and_money(
    three_services: ThreeServices,
) -> None:
    """Stock and money agree with the orders, to the unit and the cent."""
    methods = ("pm_visa", "pm_fraud", "pm_visa", "pm_capture_declined")
    requests = [
        order_of(
            f"c{number}",
            method=methods[number % 4],
            sku="tea",
            quantity=1 + number % 3,
            coordination=three_services.coordination,
        )
        for number in range(40)
    ]
    before = await three_services.tea()
    orders = await three_services.place_all(requests)
    confirmed = [order for order in orders if order.state == pb.ORDER_STATE_CONFIRMED]
    assert len(confirmed) == 20
    assert all(order.state == pb.ORDER_STATE_REJECTED for order in orders if order not in confirmed)
    after = await three_services.tea()
    sold = sum(line.quantity for order in confirmed for line in order.lines)
    assert (after.held_count, after.committed_count) == (0, before.committed_count + sold)
    for order in orders:
        payment = await three_services.payment(order)
        taken = 0 if payment is None else payment.captured_amount.minor_units
        assert taken == (order.total.minor_units if order in confirmed else 0)


async def test_a_summary_counts_what_a_customer_was_charged(three_services: ThreeServices) -> None:
    """Orders are counted from the order feed, amounts from the payment feed."""
    customer = f"summed-{three_services.coordination}"
    kept = await three_services.create(customer, quantity=2)
    back = await three_services.create(customer, quantity=1)
    await three_services.create(customer, method="pm_fraud")
    cancelled = await three_services.orders.CancelOrder(cancel_of(back.order_id))
    request = rpc.GetCustomerSummaryRequest(customer_id=customer, min_position=cancelled.position)
    # The amounts arrive through the other feed.
    async with asyncio.timeout(WAIT_S):
        while True:
            said = await three_services.orders.GetCustomerSummary(request, timeout=WAIT_S)
            (spend,) = said.summary.spend or [rpc.CustomerSpend()]
            if spend.refunded_amount.minor_units:
                break
    assert (said.summary.order_count, said.summary.confirmed_count) == (3, 1)
    assert spend.captured_amount.minor_units == kept.total.minor_units + back.total.minor_units
    assert spend.refunded_amount == back.total
