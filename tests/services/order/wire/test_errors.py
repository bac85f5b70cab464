"""Every reason of OrderErrorReason occurs over real gRPC, with its code and facts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_error_pb2, order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.order.store.tables import MIGRATIONS
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.order.order_service import (
    Instance,
    OrderService,
    cancel_of,
    create,
    fulfill_of,
    new_request_id,
    no_order_id,
    order_of,
    return_of,
)
from tests.support.order.scripted_failures import LostAnswer, PendingAnswer
from tests.support.store.databases import Databases, tamper, writing

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode


@dataclass
class OneSlotInstance:
    """An instance with one slot for calls; only the test advances its clock."""

    order_service: OrderService
    instance: Instance
    clock: ManualClock

    def tamper(self, statement: str) -> None:
        """Change the tables in a way that no caller can."""
        tamper(self.order_service.url, statement)


@pytest_asyncio.fixture(loop_scope="module")
async def one_slot(databases: Databases) -> AsyncIterator[OneSlotInstance]:
    """An instance for one test."""
    clock = ManualClock()
    order_service = OrderService(await databases.migrated(MIGRATIONS, "order"), clock=clock)
    async with order_service.instance(max_concurrent=1) as instance:
        yield OneSlotInstance(order_service, instance, clock)


async def _invalid_request(one_slot: OneSlotInstance) -> Refusal:
    return await refusal(one_slot.instance.orders.GetOrder(rpc.GetOrderRequest(order_id="ord_7")))


async def _malformed_message(one_slot: OneSlotInstance) -> Refusal:
    path = "/tradepost.order.v1.OrderService/GetOrder"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = one_slot.instance.channel.unary_unary(
        path
    )
    return await refusal(method(b"\xff\xff"))


async def _request_id_reused(one_slot: OneSlotInstance) -> Refusal:
    request = order_of()
    await one_slot.instance.orders.CreateOrder(request)
    request.lines[0].quantity = 3
    return await refusal(one_slot.instance.orders.CreateOrder(request))


async def _not_implemented(one_slot: OneSlotInstance) -> Refusal:
    request = rpc.GetCustomerSummaryRequest(customer_id="ann")
    return await refusal(one_slot.instance.orders.GetCustomerSummary(request))


async def _overloaded(one_slot: OneSlotInstance) -> Refusal:
    refused, _ = await _while_the_store_is_locked(one_slot)
    return refused


async def _store_unavailable(one_slot: OneSlotInstance) -> Refusal:
    _, waited = await _while_the_store_is_locked(one_slot)
    return waited


async def _while_the_store_is_locked(one_slot: OneSlotInstance) -> tuple[Refusal, Refusal]:
    """Return the error of the second of two calls, and of one that waits in vain for the store."""
    with writing(one_slot.order_service.url):
        orders = one_slot.instance.orders
        calls = [asyncio.create_task(refusal(orders.CreateOrder(order_of()))) for _ in range(2)]
        (refused,), (waiting,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while not waiting.done():
            await one_slot.clock.advance(WAIT_S)
        return refused.result(), waiting.result()


async def _draining(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    request = rpc.WatchOrderRequest(order_id=order.order_id, after_version=5, follow=True)
    watch = aiter(one_slot.instance.orders.WatchOrder(request))
    ending = asyncio.ensure_future(refusal(anext(watch)))
    for hook in one_slot.instance.service.on_drain:
        waiting = hook()
        if waiting is not None:
            await waiting
    return await ending


async def _conflict(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    one_slot.tamper("UPDATE event SET version = 7 WHERE version = 5")
    return await refusal(one_slot.instance.orders.CancelOrder(cancel_of(order.order_id)))


async def _internal(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    one_slot.tamper("ALTER TABLE order_view RENAME TO mislaid")
    return await refusal(one_slot.instance.orders.CancelOrder(cancel_of(order.order_id)))


async def _stored_by_newer_version(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    one_slot.tamper("UPDATE event SET type = 'tradepost.order.v9.Moved' WHERE version = 5")
    return await refusal(one_slot.instance.orders.CancelOrder(cancel_of(order.order_id)))


async def _order_not_found(one_slot: OneSlotInstance) -> Refusal:
    return await refusal(one_slot.instance.orders.CancelOrder(cancel_of(no_order_id())))


async def _order_not_cancellable(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    await one_slot.instance.orders.FulfillOrder(fulfill_of(order.order_id))
    return await refusal(one_slot.instance.orders.CancelOrder(cancel_of(order.order_id)))


async def _order_not_fulfillable(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders, sku="gold", quantity=5)
    return await refusal(one_slot.instance.orders.FulfillOrder(fulfill_of(order.order_id)))


async def _order_not_returnable(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    return await refusal(one_slot.instance.orders.ReturnOrder(return_of(order.order_id)))


async def _return_exceeds_fulfilled(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    await one_slot.instance.orders.FulfillOrder(fulfill_of(order.order_id))
    request = return_of(order.order_id, gold=1)
    return await refusal(one_slot.instance.orders.ReturnOrder(request))


async def _version_out_of_range(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    request = rpc.GetOrderRequest(order_id=order.order_id, as_of_version=99)
    return await refusal(one_slot.instance.orders.GetOrder(request))


async def _view_lagging(one_slot: OneSlotInstance) -> Refusal:
    request = rpc.ListOrdersRequest(min_position=1_000)
    waiting = asyncio.ensure_future(refusal(one_slot.instance.orders.ListOrders(request)))
    while not waiting.done():
        await one_slot.clock.advance(1)
    return await waiting


async def _participant_unavailable(one_slot: OneSlotInstance) -> Refusal:
    one_slot.order_service.script.fail("ReserveStock", LostAnswer.BEFORE)
    request = order_of()
    request.validate_only = True
    return await refusal(one_slot.instance.orders.CreateOrder(request))


async def _saga_not_found(one_slot: OneSlotInstance) -> Refusal:
    order = await create(one_slot.instance.orders)
    request = admin.GetSagaRequest(order_id=order.order_id)
    return await refusal(one_slot.instance.admin.GetSaga(request))


async def _saga_not_retryable(one_slot: OneSlotInstance) -> Refusal:
    """During the capture's call there is nothing that a retry could repeat."""
    asked: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()

    async def retry_meanwhile() -> None:
        (payment,) = one_slot.order_service.payment.payments.values()
        request = admin.RetrySagaRequest(request_id=new_request_id(), order_id=payment.order_id)
        asked.set_result(await refusal(one_slot.instance.admin.RetrySaga(request)))

    one_slot.order_service.script.during["CapturePayment"] = retry_meanwhile
    await create(one_slot.instance.orders)
    return await asked


CASES: dict[str, tuple[Callable[[OneSlotInstance], Awaitable[Refusal]], Code, set[str]]] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT, set()),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT, {"method"}),
    "REQUEST_ID_REUSED": (_request_id_reused, Code.INVALID_ARGUMENT, {"method", "request_id"}),
    "NOT_IMPLEMENTED": (_not_implemented, Code.UNIMPLEMENTED, {"feature"}),
    "OVERLOADED": (_overloaded, Code.RESOURCE_EXHAUSTED, {"limit", "setting"}),
    "DRAINING": (_draining, Code.UNAVAILABLE, {"order_id", "after_version"}),
    "STORE_UNAVAILABLE": (_store_unavailable, Code.UNAVAILABLE, set()),
    "CONFLICT": (_conflict, Code.ABORTED, {"stream", "expected_version"}),
    "INTERNAL": (_internal, Code.INTERNAL, {"error_id"}),
    "STORED_BY_NEWER_VERSION": (
        _stored_by_newer_version,
        Code.FAILED_PRECONDITION,
        {"order_id", "version", "event_type"},
    ),
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
    "ORDER_NOT_RETURNABLE": (
        _order_not_returnable,
        Code.FAILED_PRECONDITION,
        {"order_id", "state", "returns"},
    ),
    "RETURN_EXCEEDS_FULFILLED": (
        _return_exceeds_fulfilled,
        Code.FAILED_PRECONDITION,
        {"order_id", "sku", "requested", "returnable"},
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
# The server raises it before the servicer is called; the tests of the chassis cover it.
BEFORE_THE_SERVICER = {"DEADLINE_PASSED"}
RETRY_LATER = {
    "OVERLOADED",
    "STORE_UNAVAILABLE",
    "VIEW_LAGGING",
    "PARTICIPANT_UNAVAILABLE",
}


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_says_why(one_slot: OneSlotInstance, reason: str) -> None:
    """An error has one ErrorInfo with our domain, the contract's reason and the facts by name."""
    provoke, code, facts = CASES[reason]
    refused = await provoke(one_slot)
    assert (refused.code, refused.reason, refused.domain) == (code, reason, "order.tradepost")
    assert refused.infos == 1
    assert set(refused.facts) == facts
    assert (refused.retry_delay_s is not None) == (reason in RETRY_LATER)
    assert bool(refused.preconditions) == (code is Code.FAILED_PRECONDITION)


async def test_every_reason_of_the_contract_has_a_case() -> None:
    """A new reason needs a test that causes it."""
    prefix = "ORDER_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in order_error_pb2.OrderErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER


async def test_a_caller_out_of_patience_is_answered(one_slot: OneSlotInstance) -> None:
    """A caller out of patience gets the current order."""
    asked = asyncio.Event()

    async def note() -> None:
        asked.set()

    one_slot.order_service.script.during["CapturePayment"] = note
    one_slot.order_service.script.always["CapturePayment"] = PendingAnswer.PENDING
    waiting = asyncio.ensure_future(create(one_slot.instance.orders))
    await asked.wait()
    while not waiting.done():
        await one_slot.clock.advance(1)
    assert (await waiting).state == order_pb2.ORDER_STATE_CAPTURING
