"""Checkouts through the real inventory and the real payment, over real gRPC, books compared."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import grpc
import pytest
import pytest_asyncio
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceAsyncStub,
    InventoryServiceStub,
)
from tradepost.order.v1 import order_pb2 as pb
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub
from tradepost.payment.v1 import payment_pb2 as pay
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceAsyncStub,
    PaymentServiceStub,
)
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import SystemClock
from discovery.memory import MemoryRegistry
from services.chassis.ids import IdFactory
from services.chassis.server import Service, running
from services.chassis.settings import ServerSettings
from services.inventory.service import build as build_inventory
from services.order.parts import Feeds, Means, Participants
from services.order.service import build as build_order
from services.order.settings import SagaSettings
from services.payment.service import build as build_payment
from services.payment.simulated_processor import open_simulated_processor
from tests.databases import Databases
from tests.order.shop import cancel_of, create, fulfill_of, new_request_id, order_of, own_feed

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNITS = 1_000
WAIT_S = 60.0


@dataclass
class Suite:
    """Stubs to one instance of each service."""

    orders: OrderServiceAsyncStub
    inventory: InventoryServiceAsyncStub
    payments: PaymentServiceAsyncStub

    async def reservation(self, order: pb.Order) -> rsv.Reservation:
        """What inventory says of an order."""
        request = inventory_rpc.GetReservationRequest(reservation_id=order.reservation_id)
        return (await self.inventory.GetReservation(request)).reservation

    async def payment(self, order: pb.Order) -> pay.Payment | None:
        """What payment says of an order."""
        request = payment_rpc.ListPaymentsRequest(order_id=order.order_id)
        payments = (await self.payments.ListPayments(request)).payments
        return payments[0] if payments else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(
    module_databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Suite]:
    """Three services, each on a database and a port of its own."""
    url = module_databases.url
    processor_url = f"sqlite:///{tmp_path_factory.mktemp('suite')}/processor.db"
    clock, rng = SystemClock(), random.Random(5)
    ids = IdFactory(clock=clock, rng=rng)

    registry = MemoryRegistry()
    settings = ServerSettings(port=0, drain_s=0, stop_grace_s=1)
    serve = partial(running, settings=settings, clock=clock, ids=ids, rng=rng, registrar=registry)
    async with AsyncExitStack() as open_now:
        enter = open_now.enter_async_context

        async def channel_to(service: Service) -> grpc.aio.Channel:
            server = await enter(serve(service))
            return await enter(grpc.aio.insecure_channel(server.endpoint))

        inventory = await channel_to(
            await enter(build_inventory(database_url=url("inventory"), clock=clock, ids=ids))
        )
        processor = await enter(open_simulated_processor(processor_url, clock=clock, owner="test"))
        payment = await channel_to(
            await enter(
                build_payment(
                    database_url=url("payment"), processor=processor, clock=clock, ids=ids, rng=rng
                )
            )
        )
        means = Means(
            clock=clock,
            ids=ids,
            rng=rng,
            participants=Participants(inventory, payment),
            settings=SagaSettings(),
            feeds=Feeds(await enter(own_feed(registry)), payment),
        )
        order = await channel_to(await enter(build_order(database_url=url("order"), means=means)))
        suite = Suite(
            OrderServiceStub(order), InventoryServiceStub(inventory), PaymentServiceStub(payment)
        )
        await _stock(suite)
        yield suite


async def _stock(suite: Suite) -> None:
    """Put plenty of milk and tea on the shelves."""
    await suite.inventory.UpsertItems(
        inventory_rpc.UpsertItemsRequest(
            request_id=new_request_id(),
            items=[
                inventory_rpc.ItemUpsert(
                    sku=sku,
                    name=sku.title(),
                    unit_price=Money(currency_code="USD", minor_units=250),
                    initial_on_hand_count=UNITS,
                )
                for sku in ("milk", "tea")
            ],
        )
    )


async def test_an_order_is_paid_and_allocated(suite: Suite) -> None:
    """Reservation committed, payment captured, both for the order's own total."""
    order = await create(suite.orders, quantity=3)
    assert (order.state, order.total.minor_units) == (pb.ORDER_STATE_CONFIRMED, 750)
    reservation, payment = await suite.reservation(order), await suite.payment(order)
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
async def test_what_inventory_refuses_is_rejected(
    suite: Suite, sku: str, quantity: int, reason: pb.OrderRefusalReason
) -> None:
    """Payment never hears of it."""
    order = await create(suite.orders, sku=sku, quantity=quantity)
    assert (order.state, order.refusal.reason) == (pb.ORDER_STATE_REJECTED, reason)
    assert await suite.payment(order) is None


@pytest.mark.parametrize(
    ("method", "code"),
    [("pm_insufficient_funds", "INSUFFICIENT_FUNDS"), ("pm_nonsense", "UNKNOWN_METHOD")],
)
async def test_a_decline_is_rejected_and_released(suite: Suite, method: str, code: str) -> None:
    """With the processor's own word for it."""
    order = await create(suite.orders, method=method)
    assert order.state == pb.ORDER_STATE_REJECTED
    assert order.refusal.reason == pb.ORDER_REFUSAL_REASON_PAYMENT_DECLINED
    assert dict(order.refusal.facts) == {"decline_code": code}
    assert (await suite.reservation(order)).state == rsv.RESERVATION_STATE_RELEASED


async def test_a_capture_that_is_declined_lets_everything_go(suite: Suite) -> None:
    """NOT_CAPTURED is evidence: void, then release."""
    order = await create(suite.orders, method="pm_capture_declined")
    assert order.state == pb.ORDER_STATE_REJECTED
    assert order.refusal.reason == pb.ORDER_REFUSAL_REASON_PAYMENT_NOT_CAPTURED
    payment = await suite.payment(order)
    assert payment is not None
    assert (payment.state, payment.captured_amount.minor_units) == (pay.PAYMENT_STATE_VOIDED, 0)
    assert (await suite.reservation(order)).state == rsv.RESERVATION_STATE_RELEASED


async def test_an_authorization_that_is_too_short_never_passes_the_pivot(suite: Suite) -> None:
    """The processor's own expiry leaves no time to capture."""
    order = await create(suite.orders, method="pm_expiring")
    assert order.state == pb.ORDER_STATE_CANCELLED
    payment = await suite.payment(order)
    assert payment is not None
    assert payment.state in (pay.PAYMENT_STATE_VOIDED, pay.PAYMENT_STATE_EXPIRED)
    assert not payment.captures


@pytest.mark.parametrize("method", ["pm_unavailable_before", "pm_unavailable_after", "pm_slow"])
async def test_a_processor_that_falters_charges_once(suite: Suite, method: str) -> None:
    """Lost before the effect, after it, or late: the order is confirmed, the money taken once."""
    order = await create(suite.orders, method=method)
    assert order.state == pb.ORDER_STATE_CONFIRMED
    payment = await suite.payment(order)
    assert payment is not None
    assert [capture.state for capture in payment.captures] == [pay.CAPTURE_STATE_CAPTURED]


async def test_a_confirmed_order_is_sent_back_or_leaves(suite: Suite) -> None:
    """Refunded in full and released; or fulfilled, and nothing goes back."""
    back = await create(suite.orders)
    leaves = await create(suite.orders)
    back = (await suite.orders.CancelOrder(cancel_of(back.order_id))).order
    leaves = (await suite.orders.FulfillOrder(fulfill_of(leaves.order_id))).order
    assert back.state == pb.ORDER_STATE_REFUNDED
    assert leaves.state == pb.ORDER_STATE_FULFILLED
    payment = await suite.payment(back)
    assert payment is not None
    assert payment.refunded_amount == payment.captured_amount == back.total
    assert (await suite.reservation(back)).state == rsv.RESERVATION_STATE_RELEASED
    assert (await suite.reservation(leaves)).state == rsv.RESERVATION_STATE_FULFILLED


async def test_a_refund_that_is_refused_stays_refunding(suite: Suite) -> None:
    """Until an operator has another attempt made."""
    order = await create(suite.orders, method="pm_refund_declined")
    call = asyncio.ensure_future(suite.orders.CancelOrder(cancel_of(order.order_id)))
    watch = rpc.WatchOrderRequest(order_id=order.order_id, follow=True)
    async for version in suite.orders.WatchOrder(watch):
        if version.order.needs_review:
            break
    call.cancel()
    assert version.order.state == pb.ORDER_STATE_REFUNDING


async def test_many_orders_at_once_keep_the_books(suite: Suite) -> None:
    """Stock and money agree with the orders, to the unit and the cent."""
    methods = ("pm_visa", "pm_fraud", "pm_visa", "pm_capture_declined")
    requests = [
        order_of(f"c{number}", method=methods[number % 4], sku="tea", quantity=1 + number % 3)
        for number in range(40)
    ]
    placed = await asyncio.gather(*(suite.orders.CreateOrder(request) for request in requests))
    orders = [response.order for response in placed]
    confirmed = [order for order in orders if order.state == pb.ORDER_STATE_CONFIRMED]
    assert len(confirmed) == 20
    assert all(order.state == pb.ORDER_STATE_REJECTED for order in orders if order not in confirmed)
    stock = await suite.inventory.GetStock(inventory_rpc.GetStockRequest(sku="tea"))
    sold = sum(line.quantity for order in confirmed for line in order.lines)
    assert (stock.stock.held_count, stock.stock.committed_count) == (0, sold)
    for order in orders:
        payment = await suite.payment(order)
        taken = 0 if payment is None else payment.captured_amount.minor_units
        assert taken == (order.total.minor_units if order in confirmed else 0)


async def test_a_summary_says_what_a_customer_was_charged(suite: Suite) -> None:
    """Kept, sent back or declined: orders as the order service tells, money as payment tells."""
    kept = await create(suite.orders, "summed", quantity=2)
    back = await create(suite.orders, "summed", quantity=1)
    await create(suite.orders, "summed", method="pm_fraud")
    cancelled = await suite.orders.CancelOrder(cancel_of(back.order_id))
    request = rpc.GetCustomerSummaryRequest(customer_id="summed", min_position=cancelled.position)
    # The money comes by the other feed.
    async with asyncio.timeout(WAIT_S):
        while True:
            said = await suite.orders.GetCustomerSummary(request, timeout=WAIT_S)
            (spend,) = said.summary.spend or [rpc.CustomerSpend()]
            if spend.refunded_amount.minor_units:
                break
    assert (said.summary.order_count, said.summary.confirmed_count) == (3, 1)
    assert spend.captured_amount.minor_units == kept.total.minor_units + back.total.minor_units
    assert spend.refunded_amount == back.total
