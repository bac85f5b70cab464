"""Returns and direct refunds with the real inventory and payment services, over real gRPC.

Each test runs twice: for an orchestrated and for a choreographed order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import grpc
import pytest
import pytest_asyncio
from tradepost.order.v1 import order_event_pb2
from tradepost.order.v1 import order_pb2 as pb
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import SystemClock
from services.payment.processor.simulated.adapter import open_simulated_processor
from tests.support.chassis.rich_status import refusal
from tests.support.limits import WAIT_S
from tests.support.order.order_service import cancel_of, fulfill_of, new_request_id, return_of
from tests.support.order.three_real_services import PRICE, ThreeServices, three_real_services
from tests.support.store.databases import Databases

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_services(
    module_databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ThreeServices]:
    """Three services for all tests of the module."""
    url = f"sqlite:///{tmp_path_factory.mktemp('returns')}/processor.db"
    async with (
        open_simulated_processor(url, clock=SystemClock(), owner="test") as processor,
        three_real_services(module_databases, processor) as three_services,
    ):
        yield three_services


@pytest.fixture(params=[pb.COORDINATION_ORCHESTRATED, pb.COORDINATION_CHOREOGRAPHED])
def shop(running_services: ThreeServices, request: pytest.FixtureRequest) -> ThreeServices:
    """The services, once for each way to coordinate a checkout."""
    return replace(running_services, coordination=request.param)


async def fulfilled(shop: ThreeServices, **of: str | int) -> pb.Order:
    """Place an order and ship it."""
    order = await shop.create(**of)
    return (await shop.orders.FulfillOrder(fulfill_of(order.order_id))).order


async def refunded(shop: ThreeServices, order: pb.Order) -> int:
    """Read what payment refunded of an order, in minor units."""
    payment = await shop.payment(order)
    assert payment is not None
    return payment.refunded_amount.minor_units


async def refund_directly(shop: ThreeServices, order: pb.Order, minor_units: int) -> None:
    """Refund a part at the payment service."""
    await shop.payments.RefundPayment(
        payment_rpc.RefundPaymentRequest(
            request_id=new_request_id(),
            payment_id=order.payment_id,
            amount=Money(currency_code="USD", minor_units=minor_units),
            reason=f"goodwill of {minor_units}",
        )
    )


async def until(
    shop: ThreeServices, order: pb.Order, is_so: Callable[[pb.Order], bool]
) -> pb.Order:
    """Read an order again and again, until it is as wanted."""
    async with asyncio.timeout(WAIT_S):
        while True:
            request = rpc.GetOrderRequest(order_id=order.order_id)
            read = (await shop.orders.GetOrder(request)).order
            if is_so(read):
                return read


async def test_goods_and_money_come_back(shop: ThreeServices) -> None:
    """A return puts the units on hand and refunds their price, and is repeated without effect."""
    order = await fulfilled(shop, sku="tea", quantity=3)
    before = await shop.tea()
    request = return_of(order.order_id, tea=2)

    answer = await shop.orders.ReturnOrder(request)

    assert answer.order.state == pb.ORDER_STATE_FULFILLED
    assert answer.order_return.state == pb.ORDER_RETURN_STATE_RETURNED
    assert answer.order_return.refunded_amount.minor_units == 2 * PRICE.minor_units
    assert answer.order.refunded_amount == answer.order_return.refunded_amount
    assert (await shop.tea()).on_hand_count == before.on_hand_count + 2
    again = shop.orders.ReturnOrder(request)
    assert await again == answer
    assert ("tradepost-replayed", "true") in list(await again.trailing_metadata())
    assert (await shop.tea()).on_hand_count == before.on_hand_count + 2

    rest = await shop.orders.ReturnOrder(return_of(order.order_id))
    assert rest.order.state == pb.ORDER_STATE_RETURNED
    assert await refunded(shop, order) == order.total.minor_units
    assert (await refusal(shop.orders.ReturnOrder(return_of(order.order_id)))).reason == (
        "ORDER_NOT_RETURNABLE"
    )


async def test_returns_at_once_share_the_units(shop: ThreeServices) -> None:
    """Of many returns of one unit each, as many succeed as there are units."""
    order = await fulfilled(shop, quantity=3)
    calls = [shop.orders.ReturnOrder(return_of(order.order_id, milk=1)) for _ in range(6)]
    answers = await asyncio.gather(*calls, return_exceptions=True)

    failed = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert len(failed) == 3
    assert {each.code() for each in failed} == {grpc.StatusCode.FAILED_PRECONDITION}
    read = await until(shop, order, lambda now: now.state == pb.ORDER_STATE_RETURNED)
    assert len(read.returns) == 3
    assert await refunded(shop, order) == order.total.minor_units


@pytest.mark.parametrize("is_shipped", [False, True], ids=["confirmed", "fulfilled"])
async def test_an_order_shows_a_direct_refund(shop: ThreeServices, *, is_shipped: bool) -> None:
    """A refund that nobody asked the order for is shown on it once, with its state unchanged."""
    order = await (fulfilled(shop) if is_shipped else shop.create())
    assert not order.HasField("refunded_amount")
    await refund_directly(shop, order, 60)
    first = await until(shop, order, lambda now: now.refunded_amount.minor_units > 0)
    await refund_directly(shop, order, 40)
    second = await until(shop, order, lambda now: now.refunded_amount.minor_units > 60)

    assert first.refunded_amount.minor_units == 60
    assert second.refunded_amount.minor_units == 100
    assert second.state == order.state
    assert second.version == order.version + 2
    listed = await shop.orders.BatchGetOrders(rpc.BatchGetOrdersRequest(order_ids=[order.order_id]))
    assert list(listed.orders) == [second]


async def test_the_events_of_an_order_tell_why_it_was_refunded_directly(
    shop: ThreeServices,
) -> None:
    """The reason that payment was given is in the order's own events."""
    order = await shop.create()
    await refund_directly(shop, order, 60)
    await until(shop, order, lambda now: now.refunded_amount.minor_units > 0)

    listed = await shop.orders.ListOrderEvents(
        rpc.ListOrderEventsRequest(order_id=order.order_id, page_size=1_000)
    )
    observed = order_event_pb2.RefundObserved()
    assert listed.events[-1].payload.Unpack(observed)
    assert observed.reason == "goodwill of 60"


async def test_a_cancel_after_a_direct_refund(shop: ThreeServices) -> None:
    """A cancelled order gives back the rest, and shows the sum of all refunds."""
    order = await shop.create()
    await refund_directly(shop, order, 60)
    await until(shop, order, lambda now: now.refunded_amount.minor_units == 60)
    cancelled = (await shop.orders.CancelOrder(cancel_of(order.order_id))).order
    assert cancelled.state == pb.ORDER_STATE_REFUNDED
    assert cancelled.refunded_amount == order.total


async def test_a_return_after_a_direct_refund_gives_back_the_rest(shop: ThreeServices) -> None:
    """A return never refunds more than is left of the payment, and the order counts all of it."""
    order = await fulfilled(shop)
    await refund_directly(shop, order, 60)
    await until(shop, order, lambda now: now.refunded_amount.minor_units == 60)

    answer = await shop.orders.ReturnOrder(return_of(order.order_id))

    assert answer.order.state == pb.ORDER_STATE_RETURNED
    assert answer.order_return.refunded_amount.minor_units == order.total.minor_units - 60
    assert answer.order.refunded_amount == order.total
    assert await refunded(shop, order) == order.total.minor_units


async def test_a_summary_counts_a_return(shop: ThreeServices) -> None:
    """An order that came back is not counted as confirmed, and its money as refunded."""
    customer = f"returned-{shop.coordination}"
    order = await shop.create(customer)
    await shop.orders.FulfillOrder(fulfill_of(order.order_id))
    answer = await shop.orders.ReturnOrder(return_of(order.order_id))
    request = rpc.GetCustomerSummaryRequest(customer_id=customer, min_position=answer.position)
    # The amounts arrive through the other feed.
    async with asyncio.timeout(WAIT_S):
        while True:
            said = await shop.orders.GetCustomerSummary(request, timeout=WAIT_S)
            (spend,) = said.summary.spend or [rpc.CustomerSpend()]
            if spend.refunded_amount.minor_units:
                break
    assert (said.summary.order_count, said.summary.confirmed_count) == (1, 0)
    assert spend.refunded_amount == order.total
