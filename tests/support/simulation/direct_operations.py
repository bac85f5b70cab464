"""What an operator can do at a participant directly, past the order, and the moments to do it.

Each operation is one call of the participant's public API. Whether it is granted or refused is the
participant's decision; a refused one changes nothing.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

import grpc
from sqlalchemy import Connection, text
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.payment_pb2 import Payment
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from tradepost.type.v1.money_pb2 import Money

from services.chassis.ids import with_prefix
from tests.support.simulation.in_process_channel import channel_to
from tests.support.simulation.simulated_suite import SimulatedSuite

# Longer than a hold lasts.
_HOLD_OVER_S = 121.0


@dataclass(frozen=True)
class Moment:
    """Right after a service has recorded an event of this type for the order."""

    service: str
    event: str

    def __str__(self) -> str:
        return f"{self.service}.{self.event}"


class Operator:
    """Somebody who calls the participants of one order directly."""

    def __init__(self, suite: SimulatedSuite, order_id: str) -> None:
        self._suite = suite
        self._order_id = order_id
        self._reservation_id = with_prefix(order_id, "rsv")
        self._inventory: Any = InventoryServiceStub(channel_to(suite.inventory))
        self._payments: Any = PaymentServiceStub(channel_to(suite.payment))

    async def refund_everything(self) -> None:
        """Refund what is left."""
        for payment in await self._paid():
            await self._payments.RefundPayment(
                payment_rpc.RefundPaymentRequest(
                    request_id=_new_id(), payment_id=payment.payment_id
                )
            )

    async def refund_a_part(self) -> None:
        """Refund one cent."""
        for payment in await self._paid():
            await self._payments.RefundPayment(
                payment_rpc.RefundPaymentRequest(
                    request_id=_new_id(),
                    payment_id=payment.payment_id,
                    amount=Money(currency_code="USD", minor_units=1),
                )
            )

    async def capture(self) -> None:
        """Capture the payment under a request id of one's own."""
        for payment in await self._paid():
            await self._payments.CapturePayment(
                payment_rpc.CapturePaymentRequest(
                    request_id=_new_id(), payment_id=payment.payment_id
                )
            )

    async def capture_and_refund(self) -> None:
        """Capture the payment, and give everything back."""
        await self.capture()
        await self.refund_everything()

    async def void(self) -> None:
        """Void the payment."""
        for payment in await self._paid():
            await self._payments.VoidPayment(
                payment_rpc.VoidPaymentRequest(request_id=_new_id(), payment_id=payment.payment_id)
            )

    async def release(self) -> None:
        """Release the reservation."""
        await self._inventory.ReleaseReservation(
            inventory_rpc.ReleaseReservationRequest(
                request_id=_new_id(),
                reservation_id=self._reservation_id,
                order_id=self._order_id,
            )
        )

    async def commit(self) -> None:
        """Commit the reservation."""
        await self._inventory.CommitReservation(
            inventory_rpc.CommitReservationRequest(
                request_id=_new_id(), reservation_id=self._reservation_id
            )
        )

    async def fulfill(self) -> None:
        """Take the goods out of the warehouse."""
        await self._inventory.FulfillReservation(
            inventory_rpc.FulfillReservationRequest(
                request_id=_new_id(), reservation_id=self._reservation_id
            )
        )

    async def take_back(self, sku: str, quantity: int) -> None:
        """Take goods back that had left."""
        await self._inventory.ReturnStock(
            inventory_rpc.ReturnStockRequest(
                request_id=_new_id(),
                reservation_id=self._reservation_id,
                lines=[inventory_rpc.ReturnLine(sku=sku, quantity=quantity)],
            )
        )

    async def let_the_hold_expire(self) -> None:
        """Wait until a hold is over, and expire it."""
        await self._suite.advance(_HOLD_OVER_S)
        await self._suite.inventory.expire_overdue()

    async def write_off(self) -> None:
        """Write off every unit that is not reserved, and take it back in."""
        page = await self._inventory.ListStock(inventory_rpc.ListStockRequest())
        for stock in (each for each in page.stock if each.available_count):
            for delta in (-stock.available_count, stock.available_count):
                request = inventory_rpc.AdjustStockRequest(
                    request_id=_new_id(), sku=stock.sku, delta=delta, reason="counted"
                )
                await self._inventory.AdjustStock(request)

    async def _paid(self) -> list[Payment]:
        """Return the payments of the order: none or one."""
        request = payment_rpc.ListPaymentsRequest(order_id=self._order_id)
        return list((await self._payments.ListPayments(request)).payments)


Operation: TypeAlias = Callable[[Operator], Awaitable[None]]

OPERATIONS: Mapping[str, Operation] = {
    operation.__name__: operation
    for operation in (
        Operator.refund_everything,
        Operator.refund_a_part,
        Operator.capture,
        Operator.capture_and_refund,
        Operator.void,
        Operator.release,
        Operator.commit,
        Operator.fulfill,
        Operator.let_the_hold_expire,
        Operator.write_off,
    )
}


def operate_at(suite: SimulatedSuite, moment: Moment, order_id: str, operation: Operation) -> None:
    """Have an operation done once, at a moment of an order."""
    service: Any = {each.name: each for each in (suite.orders, suite.inventory, suite.payment)}[
        moment.service
    ]

    async def after_commit() -> None:
        has_come = await service.database.read(_has_come, moment, order_id)
        # Two steps that run at the same time may both see that the moment has come.
        if has_come and suite.script.on_commit is after_commit:
            suite.script.on_commit = None
            await _done(operation(Operator(suite, order_id)))

    suite.script.on_commit = after_commit


async def _done(operation: Awaitable[None]) -> None:
    """Wait for an operation that may be refused, for a reason that names what is in its way."""
    try:
        await operation
    except grpc.aio.AioRpcError as error:
        if error.code() not in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND):
            raise


def _has_come(connection: Connection, moment: Moment, order_id: str) -> bool:
    streams = {
        "order": "stream = :order_id",
        "inventory": "stream = :reservation_id",
        "payment": "stream IN (SELECT payment_id FROM payment WHERE order_id = :order_id)",
    }
    query = text(f"SELECT 1 FROM event WHERE {streams[moment.service]} AND type = :type")
    values = {
        "order_id": order_id,
        "reservation_id": with_prefix(order_id, "rsv"),
        "type": f"tradepost.{moment.service}.v1.{moment.event}",
    }
    if moment.service != "inventory":
        del values["reservation_id"]
    else:
        del values["order_id"]
    return connection.execute(query, values).first() is not None


_NUMBERS = count(1)


def _new_id() -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"operator {next(_NUMBERS)}"))
