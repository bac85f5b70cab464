"""Looks at all captured payments: is there exactly one order to each of them?

No status code and no latency shows that a version takes money twice. The books do, but only when
the suite is idle, so this looks while orders flow.
"""

from collections import Counter
from collections.abc import AsyncIterator

import grpc
from tradepost.order.v1.order_service_pb2 import GetOrderRequest
from tradepost.payment.v1.payment_pb2 import Payment, PaymentState
from tradepost.payment.v1.payment_service_pb2 import ListPaymentsRequest

from discovery.clock import Clock
from scripts.replay.observations import Observations
from services.console.reading.stubs import Stubs

_LOOK_EVERY_S = 0.5
_PAGE_SIZE = 1_000


class PaidOnce:
    """Adds a violation for each payment that an order doesn't explain."""

    def __init__(self, stubs: Stubs, observations: Observations, *, clock: Clock) -> None:
        self._stubs = stubs
        self._observations = observations
        self._clock = clock
        self._explained: set[str] = set()

    async def run(self) -> None:
        """Look at all payments again and again, until cancelled."""
        while True:
            times: Counter[str] = Counter()
            async for payment in self._captured():
                times[payment.order_id] += 1
                if times[payment.order_id] > 1:
                    self._tell(f"{payment.order_id} was paid {times[payment.order_id]} times")
                await self._explain(payment)
            await self._clock.sleep(_LOOK_EVERY_S)

    async def _captured(self) -> AsyncIterator[Payment]:
        request = ListPaymentsRequest(
            states=[PaymentState.PAYMENT_STATE_CAPTURED], page_size=_PAGE_SIZE
        )
        while True:
            page = await self._stubs.payments.ListPayments(request)
            for payment in page.payments:
                yield payment
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _explain(self, payment: Payment) -> None:
        """An order is written before its payment, so it is there now or never."""
        if payment.payment_id in self._explained:
            return
        self._explained.add(payment.payment_id)
        try:
            await self._stubs.orders.GetOrder(GetOrderRequest(order_id=payment.order_id))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                self._tell(f"{payment.customer_id} paid for {payment.order_id}, which is no order")

    def _tell(self, violation: str) -> None:
        if violation not in self._observations.violations:
            self._observations.violations.append(violation)
