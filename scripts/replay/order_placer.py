"""Places orders the way an application should: one request_id an intention, repeated until settled.

An unknown outcome (a lost answer, an instance that went away) is repeated under the same id; it
is never taken for a failure.
"""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
from tradepost.order.v1.order_pb2 import Order, OrderRefusalReason, OrderState
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CreateOrderLine,
    CreateOrderRequest,
    FulfillOrderRequest,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import Clock
from scripts.replay.observations import Observations, OrderOutcome
from scripts.replay.order_plan import CustomerAction, PlannedOrder

# As long as a checkout may take: where the driver of an order is killed, another one takes over
# when its lease has run out.
CALL_TIMEOUT_S = 30.0
REPEAT_PAUSE_S = 0.2
REPEATS_MAX = 60
# These wait for the customer's order, so how long they take says nothing of an instance.
ORDER_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": "tradepost.order.v1.OrderService", "method": method}
                for method in ("CreateOrder", "CancelOrder", "FulfillOrder")
            ],
            "waits": True,
        }
    ]
}
SETTLED = frozenset(
    (
        OrderState.ORDER_STATE_CONFIRMED,
        OrderState.ORDER_STATE_FULFILLED,
        OrderState.ORDER_STATE_REJECTED,
        OrderState.ORDER_STATE_CANCELLED,
        OrderState.ORDER_STATE_REFUNDED,
    )
)
UNKNOWN = frozenset(
    (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    )
)


class NeverSettledError(Exception):
    """An order stayed unsettled over every repeat."""


class OrderPlacer:
    """Serves visits against one OrderService."""

    def __init__(
        self, orders: OrderServiceAsyncStub, *, clock: Clock, observations: Observations
    ) -> None:
        self._orders = orders
        self._clock = clock
        self._tally = observations

    async def serve(self, visit: PlannedOrder) -> OrderOutcome:
        """Place the visit's order, do what its customer does next, and note the outcome.

        Raises NeverSettledError, and AioRpcError where the suite refuses the request itself.
        """
        started_s = self._clock.monotonic()
        order = await self._place(visit)
        latency_s = self._clock.monotonic() - started_s
        if (
            visit.action is CustomerAction.FULFILL
            and order.state == OrderState.ORDER_STATE_CONFIRMED
        ):
            order = await self._fulfill(visit, order)
        if (
            visit.action is CustomerAction.RETURN_AFTER_CONFIRM
            and order.state == OrderState.ORDER_STATE_CONFIRMED
        ):
            order = await self._cancel(visit, order)
        outcome = OrderOutcome(
            visit=visit,
            order_id=order.order_id,
            state=OrderState.Name(order.state).removeprefix("ORDER_STATE_"),
            reason=_reason(order),
            latency_s=latency_s,
        )
        self._tally.outcomes.append(outcome)
        return outcome

    async def _place(self, visit: PlannedOrder) -> Order:
        request = create_request(visit)
        if visit.action is CustomerAction.CREATE_TWICE:
            first, second = await asyncio.gather(self._create(request), self._create(request))
            if first.order_id != second.order_id:
                self._tally.violations.append(f"two orders for request {visit.request_id}")
            return first
        if visit.action is CustomerAction.CANCEL_EARLY:
            return await self._cancel(visit, await self._create_unsettled(visit, request))
        return await self._create(request)

    async def _create(self, request: CreateOrderRequest) -> Order:
        async def call() -> Order:
            return (await self._orders.CreateOrder(request, timeout=CALL_TIMEOUT_S)).order

        return await self._until_settled("CreateOrder", call)

    async def _create_unsettled(self, visit: PlannedOrder, request: CreateOrderRequest) -> Order:
        """Ask with little patience, so that the answer comes while the checkout runs.

        That such a deadline leaves no time for another attempt is the caller's own doing, and no
        failure.
        """
        timeout_s = 0.1 + visit.cancel_after_s
        for _ in range(REPEATS_MAX):
            try:
                return (await self._orders.CreateOrder(request, timeout=timeout_s)).order
            except grpc.aio.AioRpcError as error:
                if error.code() not in UNKNOWN:
                    raise
                if timeout_s >= CALL_TIMEOUT_S:
                    self._tally.count("CreateOrder", error.code())
                timeout_s = min(2 * timeout_s, CALL_TIMEOUT_S)
        raise NeverSettledError(f"no answer to request {visit.request_id}")

    async def _cancel(self, visit: PlannedOrder, order: Order) -> Order:
        request = CancelOrderRequest(
            request_id=_second_id(visit), order_id=order.order_id, reason="changed my mind"
        )

        async def call() -> Order:
            return (await self._orders.CancelOrder(request, timeout=CALL_TIMEOUT_S)).order

        return await self._until_settled("CancelOrder", call)

    async def _fulfill(self, visit: PlannedOrder, order: Order) -> Order:
        request = FulfillOrderRequest(request_id=_second_id(visit), order_id=order.order_id)

        async def call() -> Order:
            return (await self._orders.FulfillOrder(request, timeout=CALL_TIMEOUT_S)).order

        return await self._until_settled("FulfillOrder", call)

    async def _until_settled(self, method: str, call: Callable[[], Awaitable[Order]]) -> Order:
        for _ in range(REPEATS_MAX):
            try:
                order = await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in UNKNOWN:
                    raise
                self._tally.count(method, error.code())
                await self._clock.sleep(REPEAT_PAUSE_S)
                continue
            if order.state in SETTLED:
                return order
        raise NeverSettledError("an order stayed unsettled over every repeat")


def create_request(visit: PlannedOrder) -> CreateOrderRequest:
    """The visit as a request; the same bytes each time."""
    request = CreateOrderRequest(
        request_id=visit.request_id,
        customer_id=visit.basket.household_id,
        lines=[CreateOrderLine(sku=sku, quantity=units) for sku, units in visit.basket.lines],
        payment_method=visit.payment_method,
        coordination=visit.coordination,
    )
    if visit.action is CustomerAction.EXPECT_WRONG_TOTAL:
        request.expected_total.CopyFrom(Money(currency_code="USD", minor_units=1))
    return request


def _second_id(visit: PlannedOrder) -> str:
    """The id of what the customer does next: the first one with its last digit turned."""
    digit = int(visit.request_id[-1], 16) ^ 1
    return f"{visit.request_id[:-1]}{digit:x}"


def _reason(order: Order) -> str:
    if order.HasField("refusal"):
        name = OrderRefusalReason.Name(order.refusal.reason)
        return name.removeprefix("ORDER_REFUSAL_REASON_")
    return "CANCELLED BY THE CUSTOMER" if order.cancel_reason else ""
