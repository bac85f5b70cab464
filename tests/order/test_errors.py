"""Every reason of OrderErrorReason is reached, over real gRPC, with its code and facts."""

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from tradepost.event.v1 import event_service_pb2, event_service_pb2_grpc
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_error_pb2, order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.database import LOCK_WAIT_S
from tests.manual_clock import ManualClock
from tests.order.script import Lost, Undecided
from tests.order.shop import (
    Instance,
    Shop,
    cancel_of,
    create,
    fulfill_of,
    new_request_id,
    no_order_id,
    order_of,
)
from tests.rich_status import Refusal, refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode


@dataclass
class Place:
    """One instance with one free place for a call; time stands still unless the test moves it."""

    shop: Shop
    instance: Instance
    clock: ManualClock

    def tamper(self, statement: str) -> None:
        """Do to the tables what no caller can."""
        connection = sqlite3.connect(self.shop.path)
        connection.execute(statement)
        connection.commit()
        connection.close()


@pytest_asyncio.fixture(loop_scope="module")
async def place(memory_path: Path) -> AsyncIterator[Place]:
    """A shop for one test alone."""
    clock = ManualClock()
    shop = Shop(memory_path, clock=clock)
    async with shop.instance(max_concurrent=1) as instance:
        yield Place(shop, instance, clock)


async def _invalid_request(place: Place) -> Refusal:
    return await refusal(place.instance.orders.GetOrder(rpc.GetOrderRequest(order_id="ord_7")))


async def _malformed_message(place: Place) -> Refusal:
    path = "/tradepost.order.v1.OrderService/GetOrder"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = place.instance.channel.unary_unary(
        path
    )
    return await refusal(method(b"\xff\xff"))


async def _request_id_reused(place: Place) -> Refusal:
    request = order_of()
    await place.instance.orders.CreateOrder(request)
    request.lines[0].quantity = 3
    return await refusal(place.instance.orders.CreateOrder(request))


async def _not_implemented(place: Place) -> Refusal:
    request = rpc.GetCustomerSummaryRequest(customer_id="ann")
    return await refusal(place.instance.orders.GetCustomerSummary(request))


async def _overloaded(place: Place) -> Refusal:
    refused, _ = await _while_the_store_is_locked(place)
    return refused


async def _store_unavailable(place: Place) -> Refusal:
    _, waited = await _while_the_store_is_locked(place)
    return waited


async def _while_the_store_is_locked(place: Place) -> tuple[Refusal, Refusal]:
    """What the second of two calls is told, and then the one that waits in vain for the store."""
    with place.shop.path.with_name(place.shop.path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        orders = place.instance.orders
        calls = [asyncio.create_task(refusal(orders.CreateOrder(order_of()))) for _ in range(2)]
        (refused,), (waiting,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while not waiting.done():
            await place.clock.advance(LOCK_WAIT_S)
        return refused.result(), waiting.result()


async def _draining(place: Place) -> Refusal:
    order = await create(place.instance.orders)
    request = rpc.WatchOrderRequest(order_id=order.order_id, after_version=5, follow=True)
    watch = aiter(place.instance.orders.WatchOrder(request))
    ending = asyncio.ensure_future(refusal(anext(watch)))
    for hook in place.instance.service.on_drain:
        waiting = hook()
        if waiting is not None:
            await waiting
    return await ending


async def _conflict(place: Place) -> Refusal:
    order = await create(place.instance.orders)
    place.tamper("UPDATE event SET version = 7 WHERE version = 5")
    return await refusal(place.instance.orders.CancelOrder(cancel_of(order.order_id)))


async def _internal(place: Place) -> Refusal:
    order = await create(place.instance.orders)
    place.tamper("ALTER TABLE order_view RENAME TO mislaid")
    return await refusal(place.instance.orders.CancelOrder(cancel_of(order.order_id)))


async def _order_not_found(place: Place) -> Refusal:
    return await refusal(place.instance.orders.CancelOrder(cancel_of(no_order_id())))


async def _order_not_cancellable(place: Place) -> Refusal:
    order = await create(place.instance.orders)
    await place.instance.orders.FulfillOrder(fulfill_of(order.order_id))
    return await refusal(place.instance.orders.CancelOrder(cancel_of(order.order_id)))


async def _order_not_fulfillable(place: Place) -> Refusal:
    order = await create(place.instance.orders, sku="gold", quantity=5)
    return await refusal(place.instance.orders.FulfillOrder(fulfill_of(order.order_id)))


async def _version_out_of_range(place: Place) -> Refusal:
    order = await create(place.instance.orders)
    request = rpc.GetOrderRequest(order_id=order.order_id, as_of_version=99)
    return await refusal(place.instance.orders.GetOrder(request))


async def _view_lagging(place: Place) -> Refusal:
    request = rpc.ListOrdersRequest(min_position=1_000)
    waiting = asyncio.ensure_future(refusal(place.instance.orders.ListOrders(request)))
    while not waiting.done():
        await place.clock.advance(1)
    return await waiting


async def _participant_unavailable(place: Place) -> Refusal:
    place.shop.script.fail("ReserveStock", Lost.BEFORE)
    request = order_of()
    request.validate_only = True
    return await refusal(place.instance.orders.CreateOrder(request))


async def _saga_not_found(place: Place) -> Refusal:
    order = await create(place.instance.orders)
    request = admin.GetSagaRequest(order_id=order.order_id)
    return await refusal(place.instance.admin.GetSaga(request))


async def _saga_not_retryable(place: Place) -> Refusal:
    """While the capture is on its way, the saga waits for nothing that could be repeated."""
    asked: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()

    async def retry_meanwhile() -> None:
        (payment,) = place.shop.payment.payments.values()
        request = admin.RetrySagaRequest(request_id=new_request_id(), order_id=payment.order_id)
        asked.set_result(await refusal(place.instance.admin.RetrySaga(request)))

    place.shop.script.during["CapturePayment"] = retry_meanwhile
    await create(place.instance.orders)
    return await asked


CASES: dict[str, tuple[Callable[[Place], Awaitable[Refusal]], Code, set[str]]] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT, set()),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT, {"method"}),
    "REQUEST_ID_REUSED": (_request_id_reused, Code.INVALID_ARGUMENT, {"method", "request_id"}),
    "NOT_IMPLEMENTED": (_not_implemented, Code.UNIMPLEMENTED, {"feature"}),
    "OVERLOADED": (_overloaded, Code.RESOURCE_EXHAUSTED, {"limit"}),
    "DRAINING": (_draining, Code.UNAVAILABLE, {"order_id", "after_version"}),
    "STORE_UNAVAILABLE": (_store_unavailable, Code.UNAVAILABLE, set()),
    "CONFLICT": (_conflict, Code.ABORTED, {"stream", "expected_version"}),
    "INTERNAL": (_internal, Code.INTERNAL, {"error_id"}),
    "ORDER_NOT_FOUND": (_order_not_found, Code.NOT_FOUND, {"order_id"}),
    "ORDER_NOT_CANCELLABLE": (
        _order_not_cancellable,
        Code.FAILED_PRECONDITION,
        {"order_id", "state"},
    ),
    "ORDER_NOT_FULFILLABLE": (
        _order_not_fulfillable,
        Code.FAILED_PRECONDITION,
        {"order_id", "state"},
    ),
    "VERSION_OUT_OF_RANGE": (
        _version_out_of_range,
        Code.OUT_OF_RANGE,
        {"order_id", "version", "newest_version"},
    ),
    "VIEW_LAGGING": (_view_lagging, Code.UNAVAILABLE, {"position", "min_position"}),
    "PARTICIPANT_UNAVAILABLE": (_participant_unavailable, Code.UNAVAILABLE, {"participant"}),
    "SAGA_NOT_FOUND": (_saga_not_found, Code.NOT_FOUND, {"order_id"}),
    "SAGA_NOT_RETRYABLE": (
        _saga_not_retryable,
        Code.FAILED_PRECONDITION,
        {"order_id", "step", "owner"},
    ),
}
# The server raises it before a servicer is asked; the tests of the chassis reach it.
BEFORE_THE_SERVICER = {"DEADLINE_PASSED"}
RETRY_LATER = {
    "OVERLOADED",
    "STORE_UNAVAILABLE",
    "VIEW_LAGGING",
    "PARTICIPANT_UNAVAILABLE",
}


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_says_why(place: Place, reason: str) -> None:
    """One ErrorInfo with our domain, the contract's code, and the facts by name."""
    provoke, code, facts = CASES[reason]
    refused = await provoke(place)
    assert (refused.code, refused.reason, refused.domain) == (code, reason, "order.tradepost")
    assert refused.infos == 1
    assert set(refused.facts) == facts
    assert (refused.retry_delay_s is not None) == (reason in RETRY_LATER)
    assert bool(refused.preconditions) == (code is Code.FAILED_PRECONDITION)


async def test_every_reason_of_the_contract_has_a_case() -> None:
    """A new reason needs a way to reach it."""
    prefix = "ORDER_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in order_error_pb2.OrderErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER


async def test_what_comes_later_says_so(place: Place) -> None:
    """The choreographed checkout, customer summaries and the event feed."""
    request = order_of()
    request.coordination = order_pb2.COORDINATION_CHOREOGRAPHED
    refused = await refusal(place.instance.orders.CreateOrder(request))
    assert (refused.reason, refused.facts) == (
        "NOT_IMPLEMENTED",
        {"feature": "coordination CHOREOGRAPHED"},
    )
    feed = event_service_pb2_grpc.EventFeedServiceStub(place.instance.channel)
    refused = await refusal(feed.GetFeed(event_service_pb2.GetFeedRequest()))
    assert refused.reason == "NOT_IMPLEMENTED"
    page = await place.instance.orders.ListOrders(rpc.ListOrdersRequest())
    assert (page.position, len(page.orders)) == (0, 0)


async def test_every_bad_field_of_an_order_is_named_at_once(place: Place) -> None:
    """One answer tells everything that is wrong, and nothing was written."""
    request = rpc.CreateOrderRequest(
        request_id="yesterday",
        customer_id="two words",
        payment_method="",
        lines=[
            rpc.CreateOrderLine(sku="", quantity=1),
            rpc.CreateOrderLine(sku="milk", quantity=0),
            rpc.CreateOrderLine(sku="tea", quantity=1_000_001),
        ],
        coordination=7,  # type: ignore[arg-type]
    )
    request.expected_total.currency_code = "dollars"
    request.expected_total.minor_units = -1
    refused = await refusal(place.instance.orders.CreateOrder(request))
    assert set(refused.bad_fields) == {
        "request_id",
        "customer_id",
        "payment_method",
        "lines[0].sku",
        "lines[1].quantity",
        "lines[2].quantity",
        "expected_total.currency_code",
        "expected_total.minor_units",
        "coordination",
    }
    assert (await place.instance.orders.ListOrders(rpc.ListOrdersRequest())).position == 0


@pytest.mark.parametrize("number", [0, 501])
async def test_an_order_has_1_to_500_lines(place: Place, number: int) -> None:
    """Neither none nor too many."""
    request = order_of()
    del request.lines[:]
    request.lines.extend(rpc.CreateOrderLine(sku=f"s{n}", quantity=1) for n in range(number))
    refused = await refusal(place.instance.orders.CreateOrder(request))
    assert set(refused.bad_fields) == {"lines"}


async def test_bad_queries_are_refused_as_well(place: Place) -> None:
    """Ids, states, versions, sizes and reasons."""
    orders, sagas = place.instance.orders, place.instance.admin
    order_id = no_order_id()
    bad: dict[str, Awaitable[Any]] = {
        "order_id": orders.GetOrder(rpc.GetOrderRequest(order_id="pay_1")),
        "min_version": orders.GetOrder(rpc.GetOrderRequest(order_id=order_id, min_version=-1)),
        "as_of_version": orders.GetOrder(
            rpc.GetOrderRequest(order_id=order_id, min_version=3, as_of_version=2)
        ),
        "order_ids": orders.BatchGetOrders(rpc.BatchGetOrdersRequest()),
        "order_ids[0]": orders.BatchGetOrders(rpc.BatchGetOrdersRequest(order_ids=["x"])),
        "states[0]": orders.ListOrders(rpc.ListOrdersRequest(states=[99])),  # type: ignore[list-item]
        "page_size": orders.ListOrders(rpc.ListOrdersRequest(page_size=-1)),
        "min_position": orders.ListOrders(rpc.ListOrdersRequest(min_position=-1)),
        "reason": orders.CancelOrder(
            rpc.CancelOrderRequest(request_id=new_request_id(), order_id=order_id, reason="x" * 201)
        ),
        "request_id": orders.FulfillOrder(rpc.FulfillOrderRequest(order_id=order_id)),
        "state": sagas.ListSagas(admin.ListSagasRequest(state=99)),  # type: ignore[arg-type]
    }
    for field, call in bad.items():
        refused = await refusal(call)
        assert (refused.reason, set(refused.bad_fields)) == ("INVALID_REQUEST", {field})


async def test_a_used_request_id_is_bound_to_its_method_and_order(place: Place) -> None:
    """The same id for another order is refused; for another method it is another intention."""
    orders = place.instance.orders
    first, other = await create(orders), await create(orders)
    cancel = cancel_of(first.order_id)
    await orders.CancelOrder(cancel)
    cancel.order_id = other.order_id
    assert (await refusal(orders.CancelOrder(cancel))).reason == "REQUEST_ID_REUSED"
    fulfill = rpc.FulfillOrderRequest(request_id=cancel.request_id, order_id=other.order_id)
    response = await orders.FulfillOrder(fulfill)
    assert response.order.state == order_pb2.ORDER_STATE_FULFILLED


async def test_an_undecided_participant_is_no_error(place: Place) -> None:
    """A caller out of patience gets the order as it stands."""
    place.shop.script.always["CapturePayment"] = Undecided.PENDING
    waiting = asyncio.ensure_future(create(place.instance.orders))
    while not waiting.done():
        await place.clock.advance(1)
    assert (await waiting).state == order_pb2.ORDER_STATE_CAPTURING
