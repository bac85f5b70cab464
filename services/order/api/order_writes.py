"""What callers and operators can have done to orders: one write each, remembered by request_id.

A write that leaves work to be done opens the order's lease already held by this process and
answers the claim with it. Whoever passes the runner's wake-up as `then` of the write has it driven
after the COMMIT, whatever becomes of the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import Connection
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin

from discovery.clock import Clock
from services.chassis.request.idempotency import RememberedRequest, recall, remember
from services.chassis.request.intention import Intention
from services.chassis.work.lease import Claim, LeaseRow, Leases
from services.order.checkout.saga import CHECKOUT
from services.order.domain.commands import Cancel, Fulfill, Place, RetryStep
from services.order.domain.errors import SagaNotFoundError, SagaNotRetryableError
from services.order.domain.state import BEFORE_PIVOT, FORWARD, Order
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import Recorder
from services.order.store.saga_listing import current_step, to_saga

AnyIntention: TypeAlias = (
    Intention[Place] | Intention[Cancel] | Intention[Fulfill] | Intention[RetryStep]
)


@dataclass(frozen=True, slots=True)
class WrittenOrder:
    """What a write made of an order.

    `standing` is None for a request that was remembered: whoever drives that order is joined.
    `claim` is the work to begin; None where there is none, or others have it.
    """

    order_id: str
    loaded: LoadedOrder | None = None
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class RetriedSaga:
    """The answer of RetrySaga as it is stored, and the work to begin."""

    response: bytes
    replayed: bool = False
    written: WrittenOrder | None = None


class OrderWrites:
    """Write functions; `draining` tells when new work is for other instances."""

    def __init__(
        self,
        *,
        store: OrderStreams,
        recorder: Recorder,
        leases: Leases,
        clock: Clock,
        draining: Callable[[], bool],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._leases = leases
        self._clock = clock
        self._draining = draining

    def place(
        self, connection: Connection, intention: Intention[Place], order_id: str
    ) -> WrittenOrder:
        """Place an order under a new id. Raises RequestIdReusedError."""
        known = _recall(connection, intention)
        if known is not None:
            return WrittenOrder(known.resource)
        placed = self._record(connection, LoadedOrder(Order(order_id)), intention)
        self._remember(connection, intention, order_id)
        return WrittenOrder(order_id, placed, self._open(connection, placed))

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
        before = self._store.load(connection, intention.subject)
        after = self._record(connection, before, intention)
        self._remember(connection, intention, intention.subject)
        if after is before:
            return WrittenOrder(intention.subject, after)
        if before.order.is_settled:
            return WrittenOrder(intention.subject, after, self._open(connection, after))
        return WrittenOrder(intention.subject, after, self._claim(connection, after))

    def retry(self, connection: Connection, intention: Intention[RetryStep]) -> RetriedSaga:
        """Have the current step tried at once; one that finally failed under a new attempt.

        Raises RequestIdReusedError, SagaNotFoundError, SagaNotRetryableError.
        """
        known = _recall(connection, intention)
        if known is not None:
            return RetriedSaga(known.response or b"", replayed=True)
        order_id = intention.subject
        lease = self._lease(connection, order_id)
        before = self._store.load(connection, order_id)
        claim = self._leases.claim(connection, order_id)
        if claim is None:
            step = current_step(before.order)
            raise SagaNotRetryableError(order_id, step=step, owner=lease.owner)
        after = self._record(connection, before, intention)
        if after is not before:
            self._leases.progress(connection, claim, step=current_step(after.order))
            claim = replace(claim, attempts=0)
        kept = self._keep(connection, claim)
        saga = to_saga(after.order, self._lease(connection, order_id))
        response = admin.RetrySagaResponse(saga=saga).SerializeToString()
        self._remember(connection, intention, order_id, response)
        return RetriedSaga(response, written=WrittenOrder(order_id, after, kept))

    def _lease(self, connection: Connection, order_id: str) -> LeaseRow:
        lease = self._leases.get(connection, order_id)
        if lease is None:
            raise SagaNotFoundError(order_id)
        return lease

    def _record(
        self,
        connection: Connection,
        loaded: LoadedOrder,
        intention: AnyIntention,
    ) -> LoadedOrder:
        return self._recorder.record(
            connection, loaded, intention.command, causation_id=intention.request_id
        )

    def _open(self, connection: Connection, loaded: LoadedOrder) -> Claim | None:
        """The lease of new work: held by this process, or free for others while it drains.

        Free, and not due before its deadline, where the participants begin by themselves.
        """
        order = loaded.order
        is_forward = order.state in BEFORE_PIVOT
        due = order.left_to_others_until if is_forward else None
        leased = due is None and not self._draining()
        claim = self._leases.open(
            connection,
            order.order_id,
            CHECKOUT,
            deadline=order.deadline if is_forward else None,
            leased=leased,
            due=due,
        )
        return claim if leased else None

    def go_on(self, connection: Connection, loaded: LoadedOrder) -> WrittenOrder:
        """See to the lease of an order that was moved by what its participants said.

        Closed where nothing is left to do; claimed where it is the runner's turn.
        """
        order = loaded.order
        if order.left_to_others_until is not None and order.state in FORWARD:
            return WrittenOrder(order.order_id, loaded)
        claim = self._leases.claim(connection, order.order_id)
        if claim is None:
            # A drive has it at the moment: its next look finds the order as it stands.
            return WrittenOrder(order.order_id, loaded)
        if order.is_settled:
            self._leases.close(connection, claim)
            return WrittenOrder(order.order_id, loaded)
        return WrittenOrder(order.order_id, loaded, self._keep(connection, claim))

    def _claim(self, connection: Connection, loaded: LoadedOrder) -> Claim | None:
        """Work that waits for its next attempt has something new to do now."""
        claim = self._leases.claim(connection, loaded.order.order_id)
        return None if claim is None else self._keep(connection, claim)

    def _keep(self, connection: Connection, claim: Claim) -> Claim | None:
        """While draining, a claim goes to whoever comes first, at once."""
        if not self._draining():
            return claim
        self._leases.release(connection, claim)
        return None

    def _remember(
        self,
        connection: Connection,
        intention: AnyIntention,
        order_id: str,
        response: bytes | None = None,
    ) -> None:
        remember(
            connection,
            method=intention.method,
            request_id=intention.request_id,
            fingerprint=intention.fingerprint,
            resource=order_id,
            response=response,
            now=self._clock.now(),
        )


def _recall(connection: Connection, intention: AnyIntention) -> RememberedRequest | None:
    return recall(
        connection,
        method=intention.method,
        request_id=intention.request_id,
        fingerprint=intention.fingerprint,
    )
