"""Places planned orders as an application should: one request_id for each intention.

A request whose outcome is unknown (a lost answer, an instance that ended) is repeated under the
same id until the order is settled; an unknown outcome is never taken for a failure.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import grpc
from tradepost.order.v1.order_pb2 import Order, OrderRefusalReason, OrderState
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CancelOrderResponse,
    CreateOrderLine,
    CreateOrderRequest,
    CreateOrderResponse,
    FulfillOrderRequest,
    FulfillOrderResponse,
    ReturnOrderLine,
    ReturnOrderRequest,
    ReturnOrderResponse,
)
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import Clock
from scripts.replay.observations import Observations, OrderOutcome
from scripts.replay.order_plan import CustomerAction, PlannedOrder

# As long as a checkout may take: when the instance that drives it is killed, another one takes over
# after the lease has expired.
CALL_TIMEOUT_S = 30.0
REPEAT_PAUSE_S = 0.2
REPEATS_MAX = 60
SETTLED = frozenset(
    (
        OrderState.ORDER_STATE_CONFIRMED,
        OrderState.ORDER_STATE_FULFILLED,
        OrderState.ORDER_STATE_REJECTED,
        OrderState.ORDER_STATE_CANCELLED,
        OrderState.ORDER_STATE_REFUNDED,
        OrderState.ORDER_STATE_RETURNED,
    )
)
RETURNS = (CustomerAction.RETURN_ONE, CustomerAction.RETURN_ALL)
CUSTOMER, CLERK = "CUSTOMER", "CLERK"
CLERK_ID = "clerk-1"
# The metadata that says who calls: a person's id and role to their token, if the suite asks for it.
Metadata: TypeAlias = Sequence[tuple[str, str]]
CallerMetadata: TypeAlias = Callable[[str, str], Metadata]

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


class OrderCalls(Protocol):
    """What an order is placed with: a stub of OrderService, or calls in another protocol.

    A call raises AioRpcError when it fails.
    """

    def CreateOrder(  # noqa: N802 - the stub's name
        self, request: CreateOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> Awaitable[CreateOrderResponse]: ...

    def CancelOrder(  # noqa: N802
        self, request: CancelOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> Awaitable[CancelOrderResponse]: ...

    def FulfillOrder(  # noqa: N802
        self, request: FulfillOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> Awaitable[FulfillOrderResponse]: ...

    def ReturnOrder(  # noqa: N802
        self, request: ReturnOrderRequest, /, *, timeout: float, metadata: Metadata
    ) -> Awaitable[ReturnOrderResponse]: ...


class NeverSettledError(Exception):
    """An order was still not settled after REPEATS_MAX attempts."""


class OrderPlacer:
    """Places orders at one OrderService, as their customers; a clerk ships and takes returns."""

    def __init__(
        self,
        orders: OrderCalls,
        *,
        clock: Clock,
        observations: Observations,
        caller_metadata: CallerMetadata = lambda *_: (),
    ) -> None:
        self._orders = orders
        self._clock = clock
        self._observations = observations
        self._caller_metadata = caller_metadata

    async def place(self, planned: PlannedOrder) -> OrderOutcome:
        """Place the order, do what its customer does next, and record the outcome.

        Raises NeverSettledError, and AioRpcError when the suite refuses the request.
        """
        started_s = self._clock.monotonic()
        order = await self._create_by_action(planned)
        latency_s = self._clock.monotonic() - started_s
        if (
            planned.action in (CustomerAction.FULFILL, *RETURNS)
            and order.state == OrderState.ORDER_STATE_CONFIRMED
        ):
            order = await self._fulfill(planned, order)
        if planned.action in RETURNS and order.state == OrderState.ORDER_STATE_FULFILLED:
            order = await self._return(planned, order)
        if (
            planned.action is CustomerAction.CANCEL_CONFIRMED
            and order.state == OrderState.ORDER_STATE_CONFIRMED
        ):
            order = await self._cancel(planned, order)
        outcome = OrderOutcome(
            planned=planned,
            order_id=order.order_id,
            state=OrderState.Name(order.state).removeprefix("ORDER_STATE_"),
            reason=_reason(order),
            latency_s=latency_s,
        )
        self._observations.outcomes.append(outcome)
        return outcome

    async def _create_by_action(self, planned: PlannedOrder) -> Order:
        request = create_request(planned)
        if planned.action is CustomerAction.CREATE_TWICE:
            first, second = await asyncio.gather(self._create(request), self._create(request))
            if first.order_id != second.order_id:
                self._observations.violations.append(f"two orders for request {planned.request_id}")
            return first
        if planned.action is CustomerAction.CANCEL_EARLY:
            return await self._cancel(planned, await self._create_unsettled(planned, request))
        return await self._create(request)

    async def _create(self, request: CreateOrderRequest) -> Order:
        async def call() -> Order:
            return await self._call_create(request, CALL_TIMEOUT_S)

        return await self._until_settled("CreateOrder", call)

    async def _call_create(self, request: CreateOrderRequest, timeout_s: float) -> Order:
        metadata = self._caller_metadata(request.customer_id, CUSTOMER)
        answer = await self._orders.CreateOrder(request, timeout=timeout_s, metadata=metadata)
        return answer.order

    async def _create_unsettled(self, planned: PlannedOrder, request: CreateOrderRequest) -> Order:
        """Create the order with a short deadline, so that the answer comes during the checkout.

        A call that ends at such a deadline is not counted as failed.
        """
        timeout_s = 0.1 + planned.cancel_after_s
        for _ in range(REPEATS_MAX):
            try:
                return await self._call_create(request, timeout_s)
            except grpc.aio.AioRpcError as error:
                if error.code() not in UNKNOWN:
                    raise
                if timeout_s >= CALL_TIMEOUT_S:
                    self._observations.count_failure("CreateOrder", error)
                timeout_s = min(2 * timeout_s, CALL_TIMEOUT_S)
        raise NeverSettledError(f"no answer to request {planned.request_id}")

    async def _cancel(self, planned: PlannedOrder, order: Order) -> Order:
        request = CancelOrderRequest(
            request_id=_second_id(planned), order_id=order.order_id, reason="changed my mind"
        )

        async def call() -> Order:
            metadata = self._caller_metadata(order.customer_id, CUSTOMER)
            answer = await self._orders.CancelOrder(
                request, timeout=CALL_TIMEOUT_S, metadata=metadata
            )
            return answer.order

        return await self._until_settled("CancelOrder", call)

    async def _fulfill(self, planned: PlannedOrder, order: Order) -> Order:
        request = FulfillOrderRequest(request_id=_second_id(planned), order_id=order.order_id)

        async def call() -> Order:
            metadata = self._caller_metadata(CLERK_ID, CLERK)
            answer = await self._orders.FulfillOrder(
                request, timeout=CALL_TIMEOUT_S, metadata=metadata
            )
            return answer.order

        return await self._until_settled("FulfillOrder", call)

    async def _return(self, planned: PlannedOrder, order: Order) -> Order:
        returns_all = planned.action is CustomerAction.RETURN_ALL
        line = ReturnOrderLine(sku=order.lines[0].sku, quantity=1)
        request = ReturnOrderRequest(
            request_id=_third_id(planned),
            order_id=order.order_id,
            lines=[] if returns_all else [line],
            return_all=returns_all,
            reason="broken",
        )

        async def call() -> Order:
            metadata = self._caller_metadata(CLERK_ID, CLERK)
            answer = await self._orders.ReturnOrder(
                request, timeout=CALL_TIMEOUT_S, metadata=metadata
            )
            return answer.order

        return await self._until_settled("ReturnOrder", call)

    async def _until_settled(self, method: str, call: Callable[[], Awaitable[Order]]) -> Order:
        for _ in range(REPEATS_MAX):
            try:
                order = await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in UNKNOWN:
                    raise
                self._observations.count_failure(method, error)
                await self._clock.sleep(REPEAT_PAUSE_S)
                continue
            if order.state in SETTLED:
                return order
        raise NeverSettledError(f"an order was still not settled after {REPEATS_MAX} attempts")


def create_request(planned: PlannedOrder) -> CreateOrderRequest:
    """The request of a planned order; the same bytes each time."""
    request = CreateOrderRequest(
        request_id=planned.request_id,
        customer_id=planned.basket.household_id,
        lines=[CreateOrderLine(sku=sku, quantity=units) for sku, units in planned.basket.lines],
        payment_method=planned.payment_method,
        coordination=planned.coordination,
    )
    if planned.action is CustomerAction.EXPECT_WRONG_TOTAL:
        request.expected_total.CopyFrom(Money(currency_code="USD", minor_units=1))
    return request


def _second_id(planned: PlannedOrder) -> str:
    """The request_id of what the customer does next: the first one with another last digit."""
    return _other_id(planned, 1)


def _third_id(planned: PlannedOrder) -> str:
    """The request_id of what the customer does after that."""
    return _other_id(planned, 2)


def _other_id(planned: PlannedOrder, bits: int) -> str:
    digit = int(planned.request_id[-1], 16) ^ bits
    return f"{planned.request_id[:-1]}{digit:x}"


def _reason(order: Order) -> str:
    if order.HasField("refusal"):
        name = OrderRefusalReason.Name(order.refusal.reason)
        return name.removeprefix("ORDER_REFUSAL_REASON_")
    return "CANCELLED BY THE CUSTOMER" if order.cancel_reason else ""
