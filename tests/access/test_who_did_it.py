"""Who did it and why: what an auditor finds after people and services have changed something."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest
import pytest_asyncio
from tradepost.event.v1 import event_service_pb2 as event_rpc
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1 import order_event_pb2, order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.ledger_pb2 import LedgerPostingKind
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from tests.support.chassis.rich_status import refusal
from tests.support.identity.known_callers import KnownCallers, Metadata
from tests.support.identity.secure_suite import policy_of, secure_suite
from tests.support.request_ids.scenarios import add_stock, new_id
from tests.support.suite.suite_in_process import Suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
ALICE = CALLERS.person("alice", "CUSTOMER", peer="edge")
CARL = CALLERS.person("carl", "CLERK", peer="edge")
OLGA = CALLERS.person("olga", "OPERATOR")
REFUNDED = LedgerPostingKind.LEDGER_POSTING_KIND_REFUNDED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    """Three services that know their callers, with milk in stock."""
    async with secure_suite(tmp_path_factory.mktemp("suite"), CALLERS) as running:
        await add_stock(running)
        yield running


async def alices_order(suite: Suite) -> order_pb2.Order:
    """A confirmed order that Alice placed."""
    request = rpc.CreateOrderRequest(
        request_id=new_id(),
        payment_method="pm_visa",
        lines=[rpc.CreateOrderLine(sku="milk", quantity=1)],
    )
    placed = await OrderServiceStub(suite.channels["order"]).CreateOrder(request, metadata=ALICE)
    return placed.order


async def cancel(suite: Suite, order: order_pb2.Order, who: Metadata, reason: str) -> None:
    """Cancel an order, which is refunded."""
    request = rpc.CancelOrderRequest(request_id=new_id(), order_id=order.order_id, reason=reason)
    await OrderServiceStub(suite.channels["order"]).CancelOrder(request, metadata=who)


async def trail(suite: Suite, order: order_pb2.Order) -> Sequence[Event]:
    """The events of an order, as a clerk lists them."""
    request = rpc.ListOrderEventsRequest(order_id=order.order_id)
    stub = OrderServiceStub(suite.channels["order"])
    return (await stub.ListOrderEvents(request, metadata=CARL)).events


async def actors(suite: Suite, service: str, aggregate_id: str) -> list[tuple[str, str]]:
    """Type and actor of the events of one aggregate, from the feed of a service."""
    request = event_rpc.ReadEventsRequest(aggregate_id=aggregate_id)
    stub = EventFeedServiceStub(suite.channels[service])
    page = await stub.ReadEvents(request, metadata=OLGA)
    return [(event.type.rpartition(".")[2], event.actor) for event in page.events]


async def test_a_person_places_an_order_and_services_do_the_rest(suite: Suite) -> None:
    """The customer placed the order; each step is done by the service that takes it."""
    order = await alices_order(suite)

    assert await actors(suite, "order", order.order_id) == [
        ("OrderPlaced", "person:alice"),
        ("StockReserved", "service:order"),
        ("PaymentAuthorized", "service:order"),
        ("CaptureRequested", "service:order"),
        ("OrderConfirmed", "service:order"),
    ]
    assert await actors(suite, "payment", order.payment_id) == [
        ("AuthorizationRequested", "service:order"),
        ("PaymentAuthorized", "service:payment"),
        ("CaptureStarted", "service:order"),
        ("PaymentCaptured", "service:payment"),
    ]
    assert await actors(suite, "inventory", order.reservation_id) == [
        ("ReservationHeld", "service:order"),
        ("ReservationCommitted", "service:order"),
    ]


@pytest.mark.parametrize(
    ("who", "actor"),
    [(ALICE, "person:alice"), (CARL, "person:carl"), (OLGA, "person:olga")],
    ids=["customer", "clerk", "operator"],
)
async def test_a_cancel_tells_who_cancelled(suite: Suite, who: Metadata, actor: str) -> None:
    """A cancel by the customer and one by staff are told apart, and the reason is kept."""
    order = await alices_order(suite)
    await cancel(suite, order, who, "no longer needed")

    (started,) = [
        event for event in await trail(suite, order) if event.type.endswith(".RefundStarted")
    ]
    assert started.actor == actor
    refund = order_event_pb2.RefundStarted.FromString(started.payload.value)
    assert refund.reason == "no longer needed"


async def test_a_refund_by_an_operator_is_told_from_that_of_a_saga(suite: Suite) -> None:
    """The ledger names the person who refunded a part, and the service that refunded the rest."""
    order = await alices_order(suite)
    payments = PaymentServiceStub(suite.channels["payment"])
    request = payment_rpc.RefundPaymentRequest(
        request_id=new_id(), payment_id=order.payment_id, reason="late delivery"
    )
    request.amount.currency_code, request.amount.minor_units = "USD", 1
    await payments.RefundPayment(request, metadata=OLGA)
    await cancel(suite, order, ALICE, "too late")

    listing = payment_rpc.ListLedgerEntriesRequest(payment_id=order.payment_id)
    entries = (await payments.ListLedgerEntries(listing, metadata=OLGA)).entries
    refunds = [(each.requester, each.reason) for each in entries if each.kind == REFUNDED]
    assert refunds == [("person:olga", "late delivery")] * 2 + [("service:order", "")] * 2


async def test_a_stock_adjustment_tells_who_and_why(suite: Suite) -> None:
    """The movement and the event name the person; the movement repeats the reason."""
    inventory = InventoryServiceStub(suite.channels["inventory"])
    request = inventory_rpc.AdjustStockRequest(
        request_id=new_id(), sku="milk", delta=-1, reason="broken"
    )
    await inventory.AdjustStock(request, metadata=OLGA)

    listing = inventory_rpc.ListStockMovementsRequest(sku="milk", page_size=1_000)
    movements = (await inventory.ListStockMovements(listing, metadata=OLGA)).movements
    assert (movements[-1].actor, movements[-1].reason) == ("person:olga", "broken")
    assert ("StockAdjusted", "person:olga") in await actors(suite, "inventory", "itm_milk")


async def test_an_operator_must_say_why(suite: Suite) -> None:
    """Every served method that needs a reason refuses an operator without one, by its field."""
    needing = [each for each in suite.rpcs if policy_of(f"/{each.name}").reason]
    assert len(needing) >= len(suite.channels)

    async def refused(method: Any) -> tuple[str, grpc.StatusCode, set[str]]:
        answer = await refusal(suite.send(method, b"", OLGA))
        return method.name, answer.code, set(answer.bad_fields)

    answers = await asyncio.gather(*map(refused, needing))
    assert list(answers) == [
        (each.name, grpc.StatusCode.INVALID_ARGUMENT, {"reason"}) for each in needing
    ]
