"""What inventory does of its own accord in a choreographed checkout: hold, then commit.

It does what the RPCs do, under the ids that the order service would call them with, so that a
step has one effect, whoever takes it and however often its event comes.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1.inventory_event_pb2 import CheckoutHistory
from tradepost.order.v1.order_event_pb2 import OrderPlaced
from tradepost.order.v1.order_pb2 import COORDINATION_CHOREOGRAPHED
from tradepost.payment.v1.payment_event_pb2 import (
    PAYMENT_ORIGIN_CHOREOGRAPHED,
    PaymentAuthorized,
)

from services.chassis.ids import with_prefix
from services.chassis.saga.carried_ids import carried_step_id
from services.chassis.store.change import AfterCommit
from services.inventory.api.reservation_writes import Reservations
from services.inventory.domain.errors import ReservationStateConflictError
from services.inventory.domain.reservation import Origin, Payer
from services.inventory.wire import requests

# The names of the consumers: another would begin anew.
ORDER_CONSUMER = "inventory-checkout-of-orders"
PAYMENT_CONSUMER = "inventory-checkout-of-payments"
ORDER_TYPES = (OrderPlaced.DESCRIPTOR.full_name,)
PAYMENT_TYPES = (PaymentAuthorized.DESCRIPTOR.full_name,)


class Holding:
    """Holds the stock of orders that were placed."""

    def __init__(self, reservations: Reservations) -> None:
        self._reservations = reservations

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """What can't be held becomes a fact, too.

        Raises ReservationAlreadyExistsError and InvalidRequestError for what no order asks, and
        DecodeError.
        """
        placed = OrderPlaced.FromString(event.payload.value)
        if placed.coordination != COORDINATION_CHOREOGRAPHED:
            return None
        intention = requests.reserve_stock(_reserve(event.aggregate_id, placed))
        payer = Payer(
            customer_id=placed.customer_id,
            payment_method=placed.payment_method,
            order_deadline=placed.deadline_time.ToDatetime(tzinfo=UTC),
            authorization_ttl=placed.authorization_ttl.ToTimedelta(),
            step_ids=placed.step_ids.SerializeToString(),
        )
        command = replace(intention.command, origin=Origin.CHOREOGRAPHED, payer=payer)
        self._reservations.reserve(connection, replace(intention, command=command))
        return None


class Committing:
    """Makes the holds of orders final that are paid for."""

    def __init__(self, reservations: Reservations) -> None:
        self._reservations = reservations

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """A hold that has run out becomes a fact, one that was let go is none of ours any more.

        Raises ReservationNotFoundError for what was never held, and DecodeError.
        """
        authorized = PaymentAuthorized.FromString(event.payload.value)
        if authorized.origin != PAYMENT_ORIGIN_CHOREOGRAPHED:
            return None
        order_id = authorized.order_id
        request = rpc.CommitReservationRequest(
            request_id=carried_step_id(authorized.history.held.step_ids, "commit", order_id),
            reservation_id=with_prefix(order_id, "rsv"),
        )
        intention = requests.commit_reservation(request)
        command = replace(
            intention.command,
            origin=Origin.CHOREOGRAPHED,
            history=_history(authorized).SerializeToString(),
        )
        try:
            self._reservations.commit(connection, replace(intention, command=command))
        except ReservationStateConflictError:
            # Only the order itself lets go: whatever the commit was for, it is over.
            return None
        return None


def _reserve(order_id: str, placed: OrderPlaced) -> rpc.ReserveStockRequest:
    """What the order service would ask."""
    request = rpc.ReserveStockRequest(
        request_id=carried_step_id(placed.step_ids, "reserve", order_id),
        reservation_id=with_prefix(order_id, "rsv"),
        order_id=order_id,
        lines=_lines(placed),
        ttl=placed.hold_ttl,
        order_deadline_time=placed.deadline_time,
    )
    if placed.HasField("expected_total"):
        request.expected_total.CopyFrom(placed.expected_total)
    return request


def _lines(placed: OrderPlaced) -> Iterator[rpc.ReserveLine]:
    """One line may ask for so many units; more of one SKU goes into several."""
    for line in placed.lines:
        for taken in range(0, line.quantity, requests.MAX_QUANTITY):
            quantity = min(requests.MAX_QUANTITY, line.quantity - taken)
            yield rpc.ReserveLine(sku=line.sku, quantity=quantity)


def _history(authorized: PaymentAuthorized) -> CheckoutHistory:
    """What the payment was told, and the payment."""
    history = CheckoutHistory()
    history.CopyFrom(authorized.history)
    history.payment_id = authorized.payment_id
    history.authorize_expire_time.CopyFrom(authorized.authorize_expire_time)
    return history
