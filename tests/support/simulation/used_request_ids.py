"""Uses the request id of a saga's step for something else, as a careless caller of a participant.

Only in the open mode: a person's request ids are their own in the secure one. The calls are about
an order that doesn't exist, with one unit of stock and a payment of one dollar.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

from google.protobuf.duration_pb2 import Duration
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from tradepost.type.v1.money_pb2 import Money

from services.chassis.ids import with_prefix
from services.order.domain import steps
from tests.support.simulation.in_process_channel import channel_to
from tests.support.simulation.simulated_suite import SimulatedSuite

SKU = "milk"
_ORDER_ID = "ord_" + "f" * 32
_RESERVATION_ID = with_prefix(_ORDER_ID, "rsv")
_NUMBERS = count(1)


async def use_up(suite: SimulatedSuite, step: str, request_id: str) -> None:
    """Send a call of the step's method under this request id; it is about something else."""
    await _CALLS[step](_Stranger(suite), request_id)


class _Stranger:
    """Calls the participants about the order that doesn't exist."""

    def __init__(self, suite: SimulatedSuite) -> None:
        self._inventory: Any = InventoryServiceStub(channel_to(suite.inventory))
        self._payments: Any = PaymentServiceStub(channel_to(suite.payment))

    async def reserve(self, request_id: str) -> None:
        await self._inventory.ReserveStock(
            inventory_rpc.ReserveStockRequest(
                request_id=request_id,
                reservation_id=_RESERVATION_ID,
                order_id=_ORDER_ID,
                lines=[inventory_rpc.ReserveLine(sku=SKU, quantity=1)],
                ttl=Duration(seconds=3_600),
            )
        )

    async def commit(self, request_id: str) -> None:
        await self.reserve(_new_id())
        await self._inventory.CommitReservation(
            inventory_rpc.CommitReservationRequest(
                request_id=request_id, reservation_id=_RESERVATION_ID
            )
        )

    async def release(self, request_id: str) -> None:
        await self.reserve(_new_id())
        await self._inventory.ReleaseReservation(
            inventory_rpc.ReleaseReservationRequest(
                request_id=request_id, reservation_id=_RESERVATION_ID, order_id=_ORDER_ID
            )
        )

    async def fulfill(self, request_id: str) -> None:
        await self.commit(_new_id())
        await self._inventory.FulfillReservation(
            inventory_rpc.FulfillReservationRequest(
                request_id=request_id, reservation_id=_RESERVATION_ID
            )
        )

    async def restock(self, request_id: str) -> None:
        await self.fulfill(_new_id())
        await self._inventory.ReturnStock(
            inventory_rpc.ReturnStockRequest(
                request_id=request_id,
                reservation_id=_RESERVATION_ID,
                lines=[inventory_rpc.ReturnLine(sku=SKU, quantity=1)],
            )
        )

    async def authorize(self, request_id: str) -> str:
        """Return the payment's id."""
        answer = await self._payments.AuthorizePayment(
            payment_rpc.AuthorizePaymentRequest(
                request_id=request_id,
                order_id=_ORDER_ID,
                customer_id="bob",
                amount=Money(currency_code="USD", minor_units=100),
                payment_method="pm_visa",
                expire_after=Duration(seconds=86_400),
            )
        )
        payment_id: str = answer.payment.payment_id
        return payment_id

    async def void(self, request_id: str) -> None:
        payment_id = await self.authorize(_new_id())
        await self._payments.VoidPayment(
            payment_rpc.VoidPaymentRequest(request_id=request_id, payment_id=payment_id)
        )

    async def capture(self, request_id: str) -> str:
        """Return the payment's id."""
        payment_id = await self.authorize(_new_id())
        await self._payments.CapturePayment(
            payment_rpc.CapturePaymentRequest(request_id=request_id, payment_id=payment_id)
        )
        return payment_id

    async def refund(self, request_id: str) -> None:
        payment_id = await self.capture(_new_id())
        await self._payments.RefundPayment(
            payment_rpc.RefundPaymentRequest(request_id=request_id, payment_id=payment_id)
        )


_CALLS: Mapping[str, Callable[[_Stranger, str], Awaitable[Any]]] = {
    steps.RESERVE: _Stranger.reserve,
    steps.AUTHORIZE: _Stranger.authorize,
    steps.COMMIT: _Stranger.commit,
    steps.CAPTURE: _Stranger.capture,
    steps.VOID: _Stranger.void,
    steps.RELEASE: _Stranger.release,
    steps.FULFILL: _Stranger.fulfill,
    steps.REFUND: _Stranger.refund,
    steps.RESTOCK: _Stranger.restock,
    steps.REFUND_RETURN: _Stranger.refund,
}


def _new_id() -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"stranger {next(_NUMBERS)}"))
