"""Every mutation that is served: what it needs to be there, a good request, and another body."""

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
    """The answer says that all is done."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One mutation: `prepare` makes what a request is about, and answers its fields.

    `other` changes the body. `events` are what one effect appends to the service's log, at the
    latest when `settle` is over: it waits for work that goes on after the answer.
    """

    method: str
    prepare: Callable[[Suite], Awaitable[Fields]]
    other: Mapping[str, Any]
    events: int
    settle: Callable[[Suite, Fields], Awaitable[None]] = _nothing

    async def request(self, suite: Suite) -> Fields:
        """A good request, about something of its own, with a request_id of its own."""
        return {"request_id": new_id(), **await self.prepare(suite)}


def new_id() -> str:
    """A UUID that nobody used."""
    return str(uuid.uuid5(NAMESPACE, str(next(_NUMBERS))))


def prefixed(prefix: str, name: str) -> str:
    """An identifier."""
    return f"{prefix}_{uuid.UUID(name).hex}"


async def call(suite: Suite, method: str, **fields: Any) -> Any:
    """The answer to a new intention."""
    rpc = suite.rpc(method)
    return await suite.call(rpc, rpc.request({"request_id": new_id(), **fields}))


async def stock(suite: Suite) -> None:
    """Put milk on the shelf."""
    item = {"sku": "milk", "name": "Milk", "unit_price": PRICE, "initial_on_hand_count": 100_000}
    await call(suite, "/UpsertItems", items=[item])


async def an_order(suite: Suite, payment_method: str = "pm_visa") -> Fields:
    """What it takes to order."""
    lines = [{"sku": "milk", "quantity": 1}]
    return {"customer_id": "ann", "lines": lines, "payment_method": payment_method}


async def a_confirmed_order(suite: Suite) -> Fields:
    """An order that can be cancelled or fulfilled."""
    answer = await call(suite, "/CreateOrder", **await an_order(suite))
    return {"order_id": answer.order.order_id}


async def a_failed_refund(suite: Suite) -> Fields:
    """An order whose saga waits for an operator."""
    order = await an_order(suite, "pm_refund_declined")
    order_id = (await call(suite, "/CreateOrder", **order)).order.order_id
    cancelling = asyncio.ensure_future(call(suite, "/CancelOrder", order_id=order_id))
    await _refund_failed(suite, order_id, times=1)
    cancelling.cancel()
    return {"order_id": order_id}


async def a_second_failure(suite: Suite, fields: Fields) -> None:
    """The operator's retry fails as well."""
    await _refund_failed(suite, fields["order_id"], times=2)


async def _refund_failed(suite: Suite, order_id: str, *, times: int) -> None:
    watch = OrderServiceStub(suite.channels["order"]).WatchOrder(
        WatchOrderRequest(order_id=order_id, follow=True)
    )
    failures = 0
    async for version in watch:
        failures += version.event_type.endswith(".ReviewRequested")
        if failures == times:
            break
    watch.cancel()


async def an_amount(suite: Suite) -> Fields:
    """What it takes to authorize a payment for an order that nobody paid."""
    return {
        "order_id": prefixed("ord", new_id()),
        "customer_id": "ann",
        "amount": PRICE,
        "payment_method": "pm_visa",
        "expire_after": {"seconds": 86_400},
    }


async def an_authorization(suite: Suite) -> Fields:
    """A payment whose money is set aside."""
    answer = await call(suite, "/AuthorizePayment", **await an_amount(suite))
    return {"payment_id": answer.payment.payment_id}


async def a_captured_payment(suite: Suite) -> Fields:
    """A payment whose money was taken."""
    payment = await an_authorization(suite)
    await call(suite, "/CapturePayment", **payment)
    return payment


async def an_item(suite: Suite) -> Fields:
    """An item that there isn't yet."""
    item = {"sku": f"sku-{new_id()}", "name": "Jam", "unit_price": PRICE}
    return {"items": [{**item, "initial_on_hand_count": 7}]}


async def a_count(suite: Suite) -> Fields:
    """Units of an item of its own."""
    fields = await an_item(suite)
    await call(suite, "/UpsertItems", **fields)
    return {"sku": fields["items"][0]["sku"], "delta": 3, "reason": "counted"}


async def some_lines(suite: Suite) -> Fields:
    """What it takes to reserve stock."""
    order = new_id()
    return {
        "reservation_id": prefixed("rsv", order),
        "order_id": prefixed("ord", order),
        "lines": [{"sku": "milk", "quantity": 2}],
        "ttl": {"seconds": 3_600},
    }


async def a_hold(suite: Suite) -> Fields:
    """A reservation that can be committed."""
    lines = await some_lines(suite)
    await call(suite, "/ReserveStock", **lines)
    return {"reservation_id": lines["reservation_id"]}


async def a_hold_of_an_order(suite: Suite) -> Fields:
    """A reservation that can be released."""
    lines = await some_lines(suite)
    await call(suite, "/ReserveStock", **lines)
    return {field: lines[field] for field in ("reservation_id", "order_id")}


async def a_committed_hold(suite: Suite) -> Fields:
    """A reservation that can be fulfilled."""
    hold = await a_hold(suite)
    await call(suite, "/CommitReservation", **hold)
    return hold


NOBODY = "f" * 32
_OTHER_ORDER = {"order_id": f"ord_{NOBODY}"}
_OTHER_PAYMENT = {"payment_id": f"pay_{NOBODY}"}
_OTHER_RESERVATION = {"reservation_id": f"rsv_{NOBODY}"}
SCENARIOS = (
    Scenario("OrderService/CreateOrder", an_order, {"customer_id": "eve"}, 5),
    Scenario("OrderService/CancelOrder", a_confirmed_order, {"reason": "another"}, 2),
    Scenario("OrderService/FulfillOrder", a_confirmed_order, _OTHER_ORDER, 2),
    Scenario("SagaAdminService/RetrySaga", a_failed_refund, _OTHER_ORDER, 2, a_second_failure),
    Scenario("PaymentService/AuthorizePayment", an_amount, {"customer_id": "eve"}, 2),
    Scenario("PaymentService/CapturePayment", an_authorization, _OTHER_PAYMENT, 2),
    Scenario("PaymentService/VoidPayment", an_authorization, {"reason": "another"}, 2),
    Scenario("PaymentService/RefundPayment", a_captured_payment, {"amount": PRICE}, 2),
    Scenario(
        "InventoryService/UpsertItems",
        an_item,
        {"items": [{"sku": "other", "name": "Other", "unit_price": PRICE}]},
        1,
    ),
    Scenario("InventoryService/AdjustStock", a_count, {"delta": 4}, 1),
    Scenario("InventoryService/ReserveStock", some_lines, {"ttl": {"seconds": 7}}, 1),
    Scenario("InventoryService/CommitReservation", a_hold, _OTHER_RESERVATION, 1),
    Scenario("InventoryService/ReleaseReservation", a_hold_of_an_order, {"reason": "another"}, 1),
    Scenario("InventoryService/FulfillReservation", a_committed_hold, _OTHER_RESERVATION, 1),
)
