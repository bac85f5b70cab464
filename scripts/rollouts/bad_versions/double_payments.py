"""An order service that pays every order twice, with all answers as they should be.

The payment service refuses a second payment of an order. So this version has the bug that gets
round it: it takes an order for another one, and pays for both.
"""

import random
from typing import Any
from uuid import UUID

from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.payment_pb2 import PaymentState

from services.order.checkout.payment_calls import PaymentCalls


class PaysTwice:
    """A stub of the payment service; of every authorization it makes a second payment."""

    def __init__(self, stub: Any, rng: random.Random) -> None:
        self._stub = stub
        self._rng = rng

    def __getattr__(self, method: str) -> Any:
        return getattr(self._stub, method)

    async def AuthorizePayment(  # noqa: N802 - the stub's name
        self, request: rpc.AuthorizePaymentRequest, **options: Any
    ) -> rpc.AuthorizePaymentResponse:
        """Authorize as asked, and once more for an order of its own making, and take it."""
        answer: rpc.AuthorizePaymentResponse = await self._stub.AuthorizePayment(request, **options)
        if answer.payment.state == PaymentState.PAYMENT_STATE_AUTHORIZED:
            again = rpc.AuthorizePaymentRequest()
            again.CopyFrom(request)
            again.request_id = self._new_id()
            again.order_id = request.order_id[:-4] + self._new_id()[:4]
            second = await self._stub.AuthorizePayment(again, **options)
            capture = rpc.CapturePaymentRequest(
                request_id=self._new_id(), payment_id=second.payment.payment_id
            )
            await self._stub.CapturePayment(capture, **options)
        return answer

    def _new_id(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def install(rng: random.Random) -> None:
    """Let every checkout of this process call payment through such a stub."""
    make = PaymentCalls.__init__

    def make_with(self: PaymentCalls, stub: Any) -> None:
        twice: Any = PaysTwice(stub, rng)
        make(self, twice)

    PaymentCalls.__init__ = make_with  # type: ignore[method-assign]
