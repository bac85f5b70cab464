"""Authorizes and captures payments for choreographed checkouts, because of events.

It carries out the same requests as the RPCs, under the request ids that the order service would
call with. So a step has one effect, however often its event arrives or the step is called. An
event only writes the request; the driver calls the processor after the COMMIT.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1.inventory_event_pb2 import (
    RESERVATION_ORIGIN_CHOREOGRAPHED,
    CheckoutHistory,
    ReservationHeld,
)
from tradepost.order.v1.order_event_pb2 import CaptureRequested
from tradepost.order.v1.order_pb2 import COORDINATION_CHOREOGRAPHED
from tradepost.payment.v1 import payment_service_pb2 as rpc

from services.chassis.request.intention import Intention
from services.chassis.saga.carried_ids import carried_step_id
from services.chassis.store.unit.change import AfterCommit
from services.payment.domain import commands
from services.payment.domain.errors import PaymentStateConflictError
from services.payment.domain.state import Origin
from services.payment.store.payment_writes import PaymentWrites, WrittenPayment
from services.payment.wire import requests
from services.payment.wire.requests import NewId

# The consumers' names. A consumer with another name would start from the first event.
RESERVATION_CONSUMER = "payment-checkout-of-reservations"
ORDER_CONSUMER = "payment-checkout-of-orders"
RESERVATION_TYPES = (ReservationHeld.DESCRIPTOR.full_name,)
ORDER_TYPES = (CaptureRequested.DESCRIPTOR.full_name,)


@dataclass(frozen=True, slots=True)
class DrivenWrites:
    """Writes requests and has them driven after the COMMIT, unless this process drains."""

    store: PaymentWrites
    is_draining: Callable[[], bool]
    begin: Callable[[WrittenPayment], None]

    def carry_out(
        self, connection: Connection, intention: Intention[commands.Request]
    ) -> AfterCommit:
        """Write a request; returns the function that starts its work.

        Raises what `PaymentWrites.carry_out` raises.
        """
        leased = not self.is_draining()
        return partial(self.begin, self.store.carry_out(connection, intention, leased=leased))


class ReservationHeldHandler:
    """Authorizes the payment of orders whose stock is held."""

    def __init__(self, work: DrivenWrites, new_id: NewId) -> None:
        self._work = work
        self._new_id = new_id

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Write the authorize; a refusal (a void came first, the deadline is over) is stored, too.

        Raises PaymentAlreadyExistsError, InvalidRequestError and DecodeError for events that no
        order leads to.
        """
        held = ReservationHeld.FromString(event.payload.value)
        if held.origin != RESERVATION_ORIGIN_CHOREOGRAPHED:
            return None
        request = rpc.AuthorizePaymentRequest(
            request_id=carried_step_id(held.step_ids, "authorize", held.order_id),
            order_id=held.order_id,
            customer_id=held.customer_id,
            amount=held.total,
            payment_method=held.payment_method,
            expire_after=held.authorization_ttl,
            order_deadline_time=held.order_deadline_time,
        )
        intention = requests.authorize_payment(request, self._new_id)
        command = replace(
            intention.command,
            origin=Origin.CHOREOGRAPHED,
            history=CheckoutHistory(held=held).SerializeToString(),
        )
        return self._work.carry_out(connection, replace(intention, command=command))


class CaptureRequestedHandler:
    """Captures the payment of orders that have passed the pivot."""

    def __init__(self, work: DrivenWrites) -> None:
        self._work = work

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Write the capture; ignore a payment that was captured under another request id.

        Raises PaymentNotFoundError and DecodeError for events that no order writes.
        """
        requested = CaptureRequested.FromString(event.payload.value)
        if requested.coordination != COORDINATION_CHOREOGRAPHED:
            return None
        request = rpc.CapturePaymentRequest(
            request_id=carried_step_id(requested, "capture", event.aggregate_id),
            payment_id=requested.payment_id,
        )
        intention = requests.capture_payment(request)
        command = replace(intention.command, origin=Origin.CHOREOGRAPHED)
        try:
            return self._work.carry_out(connection, replace(intention, command=command))
        except PaymentStateConflictError:
            # Somebody captures it directly. The order asks for the outcome after its deadline.
            return None
