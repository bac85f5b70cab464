"""Every RPC that changes orders, called over real gRPC on a database file."""

import asyncio

import pytest
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.order.v1 import order_pb2 as pb
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub
from tradepost.type.v1.money_pb2 import Money

from services.chassis.request.patience import patience_s
from tests.support.limits import WAIT_S
from tests.support.order.order_service import (
    Instance,
    OrderService,
    cancel_of,
    create,
    fulfill_of,
    new_request_id,
    order_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_order_comes_back_paid_and_allocated(grpc_stub: OrderServiceAsyncStub) -> None:
    """CreateOrder answers a confirmed order with prices, version and position."""
    request = order_of(quantity=2)
    request.lines.add(sku="tea", quantity=1)
    request.lines.add(sku="milk", quantity=3)
    response = await grpc_stub.CreateOrder(request, timeout=WAIT_S)
    order = response.order
    assert order.state == pb.ORDER_STATE_CONFIRMED
    assert [(line.sku, line.quantity, line.line_total.minor_units) for line in order.lines] == [
        ("milk", 5, 500),
        ("tea", 1, 100),
    ]
    assert order.total == Money(currency_code="USD", minor_units=600)
    assert order.coordination == pb.COORDINATION_ORCHESTRATED
    assert order.reservation_id == order.order_id.replace("ord_", "rsv_")
    assert order.payment_id.startswith("pay_")
    assert (response.version, order.version) == (5, 5)
    assert response.position >= 5
    deadline_s = order.deadline_time.ToNanoseconds() - order.create_time.ToNanoseconds()
    assert deadline_s == pytest.approx(30e9, abs=1e9)


async def test_a_refusal_is_part_of_the_order(grpc_stub: OrderServiceAsyncStub) -> None:
    """A shortage is answered with OK: the order is REJECTED and names every short item."""
    order = await create(grpc_stub, sku="gold", quantity=7)
    assert order.state == pb.ORDER_STATE_REJECTED
    assert order.cause == pb.ORDER_CAUSE_REFUSED
    assert order.refusal == pb.OrderRefusal(
        reason=pb.ORDER_REFUSAL_REASON_INSUFFICIENT_STOCK,
        shortages=[pb.OrderShortage(sku="gold", requested_count=7, available_count=1)],
    )


async def test_an_expected_total_guards_the_price(grpc_stub: OrderServiceAsyncStub) -> None:
    """A different total is refused as PRICE_CHANGED with both amounts; an equal one passes."""
    request = order_of(quantity=2)
    request.expected_total.CopyFrom(Money(currency_code="USD", minor_units=199))
    order = (await grpc_stub.CreateOrder(request, timeout=WAIT_S)).order
    assert order.refusal.reason == pb.ORDER_REFUSAL_REASON_PRICE_CHANGED
    assert dict(order.refusal.facts) == {"expected": "199", "actual": "200"}
    request = order_of(quantity=2)
    request.expected_total.CopyFrom(Money(currency_code="USD", minor_units=200))
    assert (
        await grpc_stub.CreateOrder(request, timeout=WAIT_S)
    ).order.state == pb.ORDER_STATE_CONFIRMED


async def test_the_same_request_id_goes_on_waiting(
    grpc_stub: OrderServiceAsyncStub, second: Instance, order_service: OrderService
) -> None:
    """A repeated request waits for the same order, on any instance."""
    request = order_of("anton")
    loaded = await order_service.hang(grpc_stub, "AuthorizePayment", request)
    assert loaded.state == pb.ORDER_STATE_AUTHORIZING
    order_service.release()
    joined = (await second.orders.CreateOrder(request)).order
    assert (joined.order_id, joined.state) == (loaded.order_id, pb.ORDER_STATE_CONFIRMED)


@pytest.mark.parametrize(
    ("remaining_s", "waits_s"),
    [(None, 10.0), (100_000.0, 10.0), (10.0, 9.8), (1.0, 0.9), (0.1, 0.09), (-1.0, 0.0)],
)
async def test_part_of_a_deadline_is_kept_for_the_answer(
    remaining_s: float | None, waits_s: float
) -> None:
    """A wait ends min(200 ms, 10 %) before the deadline, and after 10 s without a deadline."""
    assert patience_s(remaining_s) == pytest.approx(waits_s)


async def test_fifty_calls_with_one_request_id_make_one_order(
    grpc_stub: OrderServiceAsyncStub, second: Instance, order_service: OrderService
) -> None:
    """Fifty calls on two instances at once get the same order, which is charged once."""
    request = order_of("bob")
    calls = [stub.CreateOrder(request) for _ in range(25) for stub in (grpc_stub, second.orders)]
    orders = [response.order for response in await asyncio.gather(*calls)]
    assert len({order.order_id for order in orders}) == 1
    assert all(order == orders[0] for order in orders)
    assert order_service.payment.captures[orders[0].order_id] == 1
    listed = await second.orders.ListOrders(rpc.ListOrdersRequest(customer_id="bob"))
    assert [order.order_id for order in listed.orders] == [orders[0].order_id]


async def test_an_order_goes_on_when_its_caller_is_gone(
    grpc_stub: OrderServiceAsyncStub, order_service: OrderService
) -> None:
    """The COMMIT starts the saga, not the handler, so it goes on without the caller."""
    arrived = asyncio.Event()

    async def tell() -> None:
        arrived.set()

    order_service.script.during["ReserveStock"] = tell
    request = order_of("carl")
    call = grpc_stub.CreateOrder(request, timeout=WAIT_S)
    waiting = asyncio.ensure_future(call)
    await arrived.wait()
    waiting.cancel()
    joined = (await grpc_stub.CreateOrder(request, timeout=WAIT_S)).order
    assert joined.state == pb.ORDER_STATE_CONFIRMED


async def test_a_saga_has_its_own_deadlines(
    grpc_stub: OrderServiceAsyncStub, order_service: OrderService
) -> None:
    """The caller's deadline limits its own wait, and none of the calls that the saga makes."""
    for participant in (order_service.inventory, order_service.payment):
        participant.deadlines.clear()
    await grpc_stub.CreateOrder(order_of(), timeout=60)
    assert order_service.inventory.deadlines + order_service.payment.deadlines == [None] * 4
    request = order_of()
    request.validate_only = True
    await grpc_stub.CreateOrder(request, timeout=60)
    assert order_service.inventory.deadlines[-1] is not None


async def test_validate_only_quotes_prices_and_writes_nothing(
    grpc_stub: OrderServiceAsyncStub, order_service: OrderService
) -> None:
    """A quote has no id, no event and no hold."""
    before = await grpc_stub.ListOrders(rpc.ListOrdersRequest(page_size=1))
    stock = dict(order_service.inventory.stock)
    request = order_of("dora", quantity=4)
    request.validate_only = True
    request.request_id = ""
    order = (await grpc_stub.CreateOrder(request, timeout=WAIT_S)).order
    assert (order.order_id, order.state) == ("", pb.ORDER_STATE_RESERVING)
    assert (order.total.minor_units, order.lines[0].name) == (400, "Milk")
    request.lines[0].sku = "gold"
    short = (await grpc_stub.CreateOrder(request, timeout=WAIT_S)).order
    assert short.state == pb.ORDER_STATE_REJECTED
    assert short.refusal.shortages[0].available_count == 1
    after = await grpc_stub.ListOrders(rpc.ListOrdersRequest(page_size=1))
    assert (after.position, dict(order_service.inventory.stock)) == (before.position, stock)


async def test_a_confirmed_order_is_cancelled_and_refunded(
    grpc_stub: OrderServiceAsyncStub, second: Instance, order_service: OrderService
) -> None:
    """A cancel on another instance answers when the order is refunded."""
    order = await create(grpc_stub)
    request = cancel_of(order.order_id)
    response = await second.orders.CancelOrder(request)
    assert response.order.state == pb.ORDER_STATE_REFUNDED
    assert response.order.cancel_reason == "changed my mind"
    assert (response.version, response.order.version) == (7, 7)
    again = await grpc_stub.CancelOrder(request)
    assert again == response
    reservation = order_service.inventory.reservations[order.reservation_id]
    assert reservation.state == rsv.RESERVATION_STATE_RELEASED


async def test_an_order_in_checkout_is_cancelled(
    grpc_stub: OrderServiceAsyncStub, second: Instance, order_service: OrderService
) -> None:
    """The instance that drives the order reads the cancel from the stream."""
    placed = await order_service.hang(grpc_stub, "AuthorizePayment", order_of("berta"))
    response = await second.orders.CancelOrder(cancel_of(placed.order_id))
    assert response.order.state == pb.ORDER_STATE_CANCELLED
    assert response.order.cause == pb.ORDER_CAUSE_CANCELLED
    payment = order_service.payment.of_order(placed.order_id)
    assert payment is not None
    assert payment.captured_amount.minor_units == 0
    order_service.release()


async def test_a_confirmed_order_is_fulfilled(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """Fulfilling again, under any request_id, changes nothing."""
    order = await create(grpc_stub)
    request = fulfill_of(order.order_id)
    response = await second.orders.FulfillOrder(request)
    assert (response.order.state, response.version) == (pb.ORDER_STATE_FULFILLED, 7)
    assert await grpc_stub.FulfillOrder(request) == response
    assert await grpc_stub.FulfillOrder(fulfill_of(order.order_id)) == response


async def test_every_event_carries_the_correlation_of_its_request(
    grpc_stub: OrderServiceAsyncStub,
) -> None:
    """Correlation and trace pass through the saga; the causes lead back to the request."""
    request = order_of()
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    metadata = (("tradepost-correlation-id", "story-1"), ("traceparent", traceparent))
    order = (await grpc_stub.CreateOrder(request, metadata=metadata)).order
    trail = await grpc_stub.ListOrderEvents(rpc.ListOrderEventsRequest(order_id=order.order_id))
    assert {event.correlation_id for event in trail.events} == {"story-1"}
    assert {event.traceparent for event in trail.events} == {traceparent}
    causes = [event.causation_id for event in trail.events]
    assert causes == [request.request_id, *(event.event_id for event in trail.events[:-1])]


async def test_a_request_id_is_the_same_in_any_case(grpc_stub: OrderServiceAsyncStub) -> None:
    """The case of a UUID and the order of the lines make no difference to a request."""
    request = order_of()
    request.lines.add(sku="tea", quantity=1)
    order = (await grpc_stub.CreateOrder(request, timeout=WAIT_S)).order
    other = rpc.CreateOrderRequest()
    other.CopyFrom(request)
    other.request_id = request.request_id.upper()
    del other.lines[:]
    other.lines.add(sku="tea", quantity=1)
    other.lines.add(sku="milk", quantity=1)
    other.lines.add(sku="milk", quantity=1)
    assert (await grpc_stub.CreateOrder(other)).order == order
    assert new_request_id() != request.request_id
