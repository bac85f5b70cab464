"""Looks at the payments of every order that was acknowledged: is any of them paid twice?

No status code and no latency shows it. The books do, but only when the suite is idle, so this looks
at each order as soon as it is settled.
"""

from tradepost.payment.v1.payment_pb2 import CaptureState
from tradepost.payment.v1.payment_service_pb2 import ListPaymentsRequest
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

from discovery.clock import Clock
from scripts.replay.observations import Observations

_LOOK_EVERY_S = 0.1


class PaidOnce:
    """Adds a violation for each order whose money was captured more than once."""

    def __init__(
        self, payments: PaymentServiceAsyncStub, observations: Observations, *, clock: Clock
    ) -> None:
        self._payments = payments
        self._observations = observations
        self._clock = clock

    async def run(self) -> None:
        """Look at one order after the other, until cancelled."""
        looked_at = 0
        while True:
            for outcome in self._observations.outcomes[looked_at:]:
                await self._look_at(outcome.order_id)
                looked_at += 1
            await self._clock.sleep(_LOOK_EVERY_S)

    async def _look_at(self, order_id: str) -> None:
        answer = await self._payments.ListPayments(ListPaymentsRequest(order_id=order_id))
        captures = sum(
            capture.state == CaptureState.CAPTURE_STATE_CAPTURED
            for payment in answer.payments
            for capture in payment.captures
        )
        if captures > 1:
            self._observations.violations.append(f"{order_id} was paid {captures} times")
