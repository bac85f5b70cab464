"""Reserves and commits stock for choreographed checkouts, because of events.

It carries out the same requests as the RPCs, under the request ids that the order service would
call with. So a step has one effect, however often its event arrives or the step is called.
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
from services.chassis.store.unit.change import AfterCommit
from services.chassis.store.unit.needs import Needs
from services.inventory.api.reservation_writes import ReservationWrites
from services.inventory.domain.errors import ReservationStateConflictError
from services.inventory.domain.state import CheckoutTerms, Origin
from services.inventory.wire import requests

# The consumers' names. A consumer with another name would start from the first event.
ORDER_CONSUMER = "inventory-checkout-of-orders"
PAYMENT_CONSUMER = "inventory-checkout-of-payments"
ORDER_TYPES = (OrderPlaced.DESCRIPTOR.full_name,)
PAYMENT_TYPES = (PaymentAuthorized.DESCRIPTOR.full_name,)


class OrderPlacedHandler:
    """Reserves stock for orders that were placed."""

    def __init__(self, reservations: ReservationWrites) -> None:
        self._reservations = reservations

    def needs(self, event: Event) -> Needs:
        """Name what applying the event reads. Raises what applying it raises."""
        placed = OrderPlaced.FromString(event.payload.value)
        intention = requests.reserve_stock(_reserve(event.aggregate_id, placed))
        return self._reservations.needs(intention)

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Reserve the order's lines; a refusal is recorded as an event, too.

        Raises ReservationAlreadyExistsError, InvalidRequestError and DecodeError for events that
        no order service writes.
        """
        placed = OrderPlaced.FromString(event.payload.value)
        if placed.coordination != COORDINATION_CHOREOGRAPHED:
            return None
        intention = requests.reserve_stock(_reserve(event.aggregate_id, placed))
        terms = CheckoutTerms(
            customer_id=placed.customer_id,
            payment_method=placed.payment_method,
            order_deadline=placed.deadline_time.ToDatetime(tzinfo=UTC),
            authorization_ttl=placed.authorization_ttl.ToTimedelta(),
            step_ids=placed.step_ids.SerializeToString(),
        )
        command = replace(intention.command, origin=Origin.CHOREOGRAPHED, terms=terms)
        self._reservations.reserve(connection, replace(intention, command=command))
        return None


class PaymentAuthorizedHandler:
    """Commits the reservations of orders whose payment is authorized."""

    def __init__(self, reservations: ReservationWrites) -> None:
        self._reservations = reservations

    def needs(self, event: Event) -> Needs:
        """Name what applying the event reads. Raises what applying it raises."""
        authorized = PaymentAuthorized.FromString(event.payload.value)
        return self._reservations.needs(requests.commit_reservation(_commit(authorized)))

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Commit the reservation; ignore one that was released.

        An overdue hold is expired, which is recorded as an event. Raises ReservationNotFoundError
        where nothing was held, and DecodeError.
        """
        authorized = PaymentAuthorized.FromString(event.payload.value)
        if authorized.origin != PAYMENT_ORIGIN_CHOREOGRAPHED:
            return None
        intention = requests.commit_reservation(_commit(authorized))
        command = replace(
            intention.command,
            origin=Origin.CHOREOGRAPHED,
            history=_history(authorized).SerializeToString(),
        )
        try:
            self._reservations.commit(connection, replace(intention, command=command))
        except ReservationStateConflictError:
            # The order released it, or somebody did so directly: the order ends at its deadline.
            return None
        return None


def _reserve(order_id: str, placed: OrderPlaced) -> rpc.ReserveStockRequest:
    """The request that the order service would send."""
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


def _commit(authorized: PaymentAuthorized) -> rpc.CommitReservationRequest:
    """The request that the order service would send."""
    order_id = authorized.order_id
    return rpc.CommitReservationRequest(
        request_id=carried_step_id(authorized.history.held.step_ids, "commit", order_id),
        reservation_id=with_prefix(order_id, "rsv"),
    )


def _lines(placed: OrderPlaced) -> Iterator[rpc.ReserveLine]:
    """The order's lines; a quantity above the limit of one line becomes several lines."""
    for line in placed.lines:
        for taken in range(0, line.quantity, requests.MAX_QUANTITY):
            quantity = min(requests.MAX_QUANTITY, line.quantity - taken)
            yield rpc.ReserveLine(sku=line.sku, quantity=quantity)


def _history(authorized: PaymentAuthorized) -> CheckoutHistory:
    """The facts that led to the payment, and the payment."""
    history = CheckoutHistory()
    history.CopyFrom(authorized.history)
    history.payment_id = authorized.payment_id
    history.authorize_expire_time.CopyFrom(authorized.authorize_expire_time)
    return history
