"""Every mutation that is served: what must exist first, a valid request, and another body."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from tradepost.order.v1.order_service_pb2 import WatchOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from tests.support.suite.suite_in_process import Suite

NAMESPACE = uuid.UUID("7d2c1a52-0000-4a0e-9d0f-6b8f0f6f2a11")
PRICE = {"currency_code": "USD", "minor_units": 250}

_NUMBERS = count(1)
Fields = dict[str, Any]


async def _nothing(_suite: Suite, _fields: Fields) -> None:
    """Wait for nothing: the effect is complete when the call is answered."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One mutation.

    `prepare` creates what a request needs, and returns the request's fields; `other` changes its
    body. `events` is the number of events that one effect appends to the service's log. `settle`
    waits for work that continues after the answer; then all of them are there.
    """

    method: str
    prepare: Callable[[Suite], Awaitable[Fields]]
    other: Mapping[str, Any]
    events: int
    settle: Callable[[Suite, Fields], Awaitable[None]] = _nothing

    async def request(self, suite: Suite) -> Fields:
        """Make a valid request with a new request_id, for a new resource."""
        return {"request_id": new_id(), **await self.prepare(suite)}


def new_id() -> str:
    """Make a UUID that was not used before."""
    return str(uuid.uuid5(NAMESPACE, str(next(_NUMBERS))))


def prefixed(prefix: str, name: str) -> str:
    """Make an identifier from a UUID."""
    return f"{prefix}_{uuid.UUID(name).hex}"


async def call(suite: Suite, method: str, **fields: Any) -> Any:
    """Call a method with a new request_id."""
    rpc = suite.rpc(method)
    return await suite.call(rpc, rpc.request({"request_id": new_id(), **fields}))


async def add_stock(suite: Suite) -> None:
    """Add milk to the stock."""
    item = {"sku": "milk", "name": "Milk", "unit_price": PRICE, "initial_on_hand_count": 100_000}
    await call(suite, "/UpsertItems", items=[item])


async def new_order(suite: Suite, payment_method: str = "pm_visa") -> Fields:
    """Fields of a new order."""
    lines = [{"sku": "milk", "quantity": 1}]
    return {"customer_id": "ann", "lines": lines, "payment_method": payment_method}


async def a_confirmed_order(suite: Suite) -> Fields:
    """Place an order that can be cancelled or fulfilled."""
    answer = await call(suite, "/CreateOrder", **await new_order(suite))
    return {"order_id": answer.order.order_id}


async def a_fulfilled_order(suite: Suite) -> Fields:
    """Place and fulfil an order, so that all of it can be returned."""
    order = await a_confirmed_order(suite)
    await call(suite, "/FulfillOrder", **order)
    return {**order, "return_all": True}


async def a_failed_refund(suite: Suite) -> Fields:
    """Place an order whose refund fails, so that its saga waits for an operator."""
    order = await new_order(suite, "pm_refund_declined")
    order_id = (await call(suite, "/CreateOrder", **order)).order.order_id
    cancelling = asyncio.ensure_future(call(suite, "/CancelOrder", order_id=order_id))
    await _until_refund_failed(suite, order_id, times=1)
    cancelling.cancel()
    return {"order_id": order_id}


async def a_second_failure(suite: Suite, fields: Fields) -> None:
    """Wait until the refund failed again after the operator's retry."""
    await _until_refund_failed(suite, fields["order_id"], times=2)


async def _until_refund_failed(suite: Suite, order_id: str, *, times: int) -> None:
    watch = OrderServiceStub(suite.channels["order"]).WatchOrder(
        WatchOrderRequest(order_id=order_id, follow=True)
    )
    failures = 0
    async for version in watch:
        failures += version.event_type.endswith(".ReviewRequested")
        if failures == times:
            break
    watch.cancel()


async def new_authorization(suite: Suite) -> Fields:
    """Fields of an authorization for an order without a payment."""
    return {
        "order_id": prefixed("ord", new_id()),
        "customer_id": "ann",
        "amount": PRICE,
        "payment_method": "pm_visa",
        "expire_after": {"seconds": 86_400},
    }


async def an_authorized_payment(suite: Suite) -> Fields:
    """Authorize a payment."""
    answer = await call(suite, "/AuthorizePayment", **await new_authorization(suite))
    return {"payment_id": answer.payment.payment_id}


async def a_captured_payment(suite: Suite) -> Fields:
    """Authorize and capture a payment."""
    payment = await an_authorized_payment(suite)
    await call(suite, "/CapturePayment", **payment)
    return payment


async def new_item(suite: Suite) -> Fields:
    """Fields of an item that does not exist yet."""
    item = {"sku": f"sku-{new_id()}", "name": "Jam", "unit_price": PRICE}
    return {"items": [{**item, "initial_on_hand_count": 7}]}


async def stock_correction(suite: Suite) -> Fields:
    """Create an item; fields of a correction of its stock."""
    fields = await new_item(suite)
    await call(suite, "/UpsertItems", **fields)
    return {"sku": fields["items"][0]["sku"], "delta": 3, "reason": "counted"}


async def new_reservation(suite: Suite) -> Fields:
    """Fields of a new reservation."""
    order = new_id()
    return {
        "reservation_id": prefixed("rsv", order),
        "order_id": prefixed("ord", order),
        "lines": [{"sku": "milk", "quantity": 2}],
        "ttl": {"seconds": 3_600},
    }


async def a_held_reservation(suite: Suite) -> Fields:
    """Reserve stock; the reservation can be committed."""
    lines = await new_reservation(suite)
    await call(suite, "/ReserveStock", **lines)
    return {"reservation_id": lines["reservation_id"]}


async def a_releasable_reservation(suite: Suite) -> Fields:
    """Reserve stock; the reservation can be released."""
    lines = await new_reservation(suite)
    await call(suite, "/ReserveStock", **lines)
    return {field: lines[field] for field in ("reservation_id", "order_id")}


async def a_committed_reservation(suite: Suite) -> Fields:
    """Reserve stock and commit the reservation, so that it can be fulfilled."""
    reservation = await a_held_reservation(suite)
    await call(suite, "/CommitReservation", **reservation)
    return reservation


async def a_return(suite: Suite) -> Fields:
    """Fulfil a reservation; fields of a return of one of its units."""
    reservation = await a_committed_reservation(suite)
    await call(suite, "/FulfillReservation", **reservation)
    return {**reservation, "lines": [{"sku": "milk", "quantity": 1}]}


UNKNOWN = "f" * 32
_OTHER_ORDER = {"order_id": f"ord_{UNKNOWN}"}
_OTHER_PAYMENT = {"payment_id": f"pay_{UNKNOWN}"}
_OTHER_RESERVATION = {"reservation_id": f"rsv_{UNKNOWN}"}
SCENARIOS = (
    Scenario("OrderService/CreateOrder", new_order, {"customer_id": "eve"}, 5),
    Scenario("OrderService/CancelOrder", a_confirmed_order, {"reason": "another"}, 2),
    Scenario("OrderService/FulfillOrder", a_confirmed_order, _OTHER_ORDER, 2),
    Scenario("OrderService/ReturnOrder", a_fulfilled_order, {"reason": "another"}, 3),
    Scenario("SagaAdminService/RetrySaga", a_failed_refund, _OTHER_ORDER, 2, a_second_failure),
    Scenario("PaymentService/AuthorizePayment", new_authorization, {"customer_id": "eve"}, 2),
    Scenario("PaymentService/CapturePayment", an_authorized_payment, _OTHER_PAYMENT, 2),
    Scenario("PaymentService/VoidPayment", an_authorized_payment, {"reason": "another"}, 2),
    Scenario("PaymentService/RefundPayment", a_captured_payment, {"amount": PRICE}, 2),
    Scenario(
        "InventoryService/UpsertItems",
        new_item,
        {"items": [{"sku": "other", "name": "Other", "unit_price": PRICE}]},
        1,
    ),
    Scenario("InventoryService/AdjustStock", stock_correction, {"delta": 4}, 1),
    Scenario("InventoryService/ReserveStock", new_reservation, {"ttl": {"seconds": 7}}, 1),
    Scenario("InventoryService/CommitReservation", a_held_reservation, _OTHER_RESERVATION, 1),
    Scenario(
        "InventoryService/ReleaseReservation",
        a_releasable_reservation,
        {"reason": "another"},
        1,
    ),
    Scenario("InventoryService/FulfillReservation", a_committed_reservation, _OTHER_RESERVATION, 1),
    Scenario("InventoryService/ReturnStock", a_return, {"reason": "another"}, 1),
)
