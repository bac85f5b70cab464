"""The writes that callers and operators ask for: each runs in one transaction, once a request_id.

A write that leaves work to be done returns the claim on it. The caller passes the function that
starts this work as `then` of the write, so it starts after the COMMIT even if the caller is gone.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import Connection
from tradepost.order.admin.v1.saga_pb2 import Saga

from discovery.clock import Clock
from services.chassis.request import request_ids
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import RememberedRequest, recall, remember
from services.chassis.store.unit.needs import Needs
from services.chassis.work import lease_table
from services.chassis.work.lease import Claim, LeaseRow, Leases
from services.order.checkout.checkout_leases import CheckoutLeases, WrittenOrder
from services.order.domain.commands import Cancel, Fulfill, Place, RetryStep, ReturnGoods
from services.order.domain.errors import SagaNotFoundError, SagaNotRetryableError
from services.order.domain.state import Order
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import OrderRecorder
from services.order.store.saga_listing import current_step, to_saga

AnyIntention: TypeAlias = (
    Intention[Place]
    | Intention[Cancel]
    | Intention[Fulfill]
    | Intention[ReturnGoods]
    | Intention[RetryStep]
)


@dataclass(frozen=True, slots=True)
class RetriedSaga:
    """The saga after RetrySaga, and the order with the work to start."""

    saga: Saga
    written: WrittenOrder


class OrderWrites:
    """Write functions on orders, each for one transaction."""

    def __init__(
        self,
        *,
        streams: OrderStreams,
        recorder: OrderRecorder,
        leases: Leases,
        checkout_leases: CheckoutLeases,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._recorder = recorder
        self._leases = leases
        self._checkout_leases = checkout_leases
        self._clock = clock

    def needs(self, intention: AnyIntention, order_id: str) -> Needs:
        """What a write on an order reads by key; call it in the caller's context."""
        yield request_ids.need_of(intention.method, intention.request_id)
        yield lease_table.need_of(order_id)
        yield from self._streams.needs(order_id)

    def place(
        self, connection: Connection, intention: Intention[Place], order_id: str
    ) -> WrittenOrder:
        """Place an order under a new id. Raises RequestIdReusedError."""
        known = _recall(connection, intention)
        if known is not None:
            return WrittenOrder(known.resource)
        placed = self._record(connection, LoadedOrder(Order(order_id)), intention)
        self._remember(connection, intention, order_id)
        return WrittenOrder(order_id, placed, self._checkout_leases.open(connection, placed))

    def change(
        self, connection: Connection, intention: Intention[Cancel] | Intention[Fulfill]
    ) -> WrittenOrder:
        """Cancel or fulfill an order.

        Raises RequestIdReusedError, OrderNotFoundError, OrderNotCancellableError and
        OrderNotFulfillableError.
        """
        known = _recall(connection, intention)
        if known is not None:
            return WrittenOrder(known.resource)
        before = self._streams.load_own(connection, intention.subject)
        after = self._record(connection, before, intention)
        self._remember(connection, intention, intention.subject)
        if after is before:
            return WrittenOrder(intention.subject, after)
        return WrittenOrder(intention.subject, after, self._lease_on(connection, before, after))

    def take_back(self, connection: Connection, intention: Intention[ReturnGoods]) -> WrittenOrder:
        """Start a return of a fulfilled order, or put it behind those that are under way.

        Raises RequestIdReusedError, OrderNotFoundError, OrderNotReturnableError and
        ReturnExceedsFulfilledError.
        """
        order_id, return_id = intention.subject, intention.command.return_id
        known = _recall(connection, intention)
        if known is not None:
            return WrittenOrder(order_id, return_id=known.resource)
        before = self._streams.load_own(connection, order_id)
        after = self._record(connection, before, intention)
        self._remember(connection, intention, return_id)
        claim = self._lease_on(connection, before, after)
        return WrittenOrder(order_id, after, claim, return_id)

    def retry(self, connection: Connection, intention: Intention[RetryStep]) -> RetriedSaga:
        """Have the current step tried at once; as a new attempt if it has finally failed.

        Remembers no request_id. Raises SagaNotFoundError and SagaNotRetryableError.
        """
        order_id = intention.subject
        known = self._lease(connection, order_id)
        before = self._streams.load(connection, order_id)
        claim = self._leases.claim(connection, order_id)
        if claim is None:
            step = current_step(before.order)
            raise SagaNotRetryableError(order_id, step=step, owner=known.owner)
        after = self._record(connection, before, intention)
        if after is not before:
            self._leases.progress(connection, claim, step=current_step(after.order))
            claim = replace(claim, attempts=0)
        kept = self._checkout_leases.keep(connection, claim)
        saga = to_saga(after.order, self._lease(connection, order_id))
        return RetriedSaga(saga, WrittenOrder(order_id, after, kept))

    def _lease_on(
        self, connection: Connection, before: LoadedOrder, after: LoadedOrder
    ) -> Claim | None:
        """Open the lease on a settled order's new work, or claim that on work under way."""
        leases = self._checkout_leases
        take = leases.open if before.order.is_settled else leases.claim
        return take(connection, after)

    def _lease(self, connection: Connection, order_id: str) -> LeaseRow:
        row = self._leases.get(connection, order_id)
        if row is None:
            raise SagaNotFoundError(order_id)
        return row

    def _record(
        self, connection: Connection, loaded: LoadedOrder, intention: AnyIntention
    ) -> LoadedOrder:
        return self._recorder.record(
            connection, loaded, intention.command, causation_id=intention.request_id
        )

    def _remember(
        self,
        connection: Connection,
        intention: AnyIntention,
        resource: str,
    ) -> None:
        remember(
            connection,
            method=intention.method,
            request_id=intention.request_id,
            fingerprint=intention.fingerprint,
            resource=resource,
            now=self._clock.now(),
        )


def _recall(connection: Connection, intention: AnyIntention) -> RememberedRequest | None:
    return recall(
        connection,
        method=intention.method,
        request_id=intention.request_id,
        fingerprint=intention.fingerprint,
    )
