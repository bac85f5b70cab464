"""The use cases that change orders: write, start the work of the write, wait for the outcome.

An order is durable before its caller waits for it, and its work goes on without the caller.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import grpc
from sqlalchemy import Connection
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_pb2

from services.chassis.ids import IdFactory
from services.chassis.log.audit_log import AuditedWrites
from services.chassis.request.idempotent_writes import StoredResponse
from services.chassis.request.intention import Intention
from services.chassis.saga.model import Contradiction
from services.chassis.store.database import Database
from services.order.api.order_writes import OrderWrites
from services.order.api.waiting import OrderWaiter
from services.order.checkout.checkout_leases import WrittenOrder
from services.order.checkout.inventory_calls import InventoryCalls
from services.order.domain import commands
from services.order.domain.commands import Cancel, Fulfill, Place, RetryStep, ReturnGoods
from services.order.domain.errors import ParticipantUnavailableError
from services.order.domain.steps import INVENTORY
from services.order.store.order_view import OrderSnapshot
from services.order.wire import replies


class OrderUseCases:
    """The use cases that change orders; `start` starts the work of a committed write."""

    def __init__(
        self,
        *,
        database: Database,
        ids: IdFactory,
        writes: OrderWrites,
        audited: AuditedWrites,
        waiter: OrderWaiter,
        inventory: InventoryCalls,
        start: Callable[[WrittenOrder], None],
    ) -> None:
        self._database = database
        self._ids = ids
        self._writes = writes
        self._audited = audited
        self._waiter = waiter
        self._inventory = inventory
        self._start = start

    async def place(self, intention: Intention[Place], patience_s: float) -> OrderSnapshot:
        """Place an order and wait until it is settled, at most `patience_s` seconds."""
        order_id = self._ids.new("ord")
        with self._waiter.follow(order_id) as follower:
            written = await self._database.write(
                self._writes.place,
                intention,
                order_id,
                needs=self._writes.needs(intention, order_id),
                then=self._start,
            )
            if written.loaded is not None:
                version = written.loaded.order.version
                return await self._waiter.settled(follower, version, patience_s)
        return replace(await self._waiter.join(written.order_id, patience_s), replayed=True)

    async def change(
        self, intention: Intention[Cancel] | Intention[Fulfill], patience_s: float
    ) -> OrderSnapshot:
        """Cancel or fulfill an order and wait until it is settled, at most `patience_s` seconds."""
        needs = self._writes.needs(intention, intention.subject)
        written = await self._database.write(
            self._writes.change, intention, needs=needs, then=self._start
        )
        snapshot = await self._waiter.join(written.order_id, patience_s)
        return replace(snapshot, replayed=written.loaded is None)

    async def take_back(
        self, intention: Intention[ReturnGoods], patience_s: float
    ) -> tuple[OrderSnapshot, str]:
        """Return goods and wait until the order is settled, at most `patience_s` seconds.

        Returns the order and the id of the return.
        """
        command = replace(intention.command, return_id=self._ids.new("ret"))
        named = replace(intention, command=command)
        needs = self._writes.needs(named, named.subject)
        written = await self._database.write(
            self._writes.take_back, named, needs=needs, then=self._start
        )
        snapshot = await self._waiter.join(written.order_id, patience_s)
        return replace(snapshot, replayed=written.loaded is None), written.return_id

    async def retry(
        self, request: admin.RetrySagaRequest, intention: Intention[RetryStep]
    ) -> StoredResponse:
        """Have the current step of a saga tried at once; the request is kept in the audit log."""

        def write(connection: Connection) -> StoredResponse:
            retried = self._writes.retry(connection, intention)
            response = admin.RetrySagaResponse(saga=retried.saga).SerializeToString()
            return StoredResponse(response, (partial(self._start, retried.written),))

        return await self._audited(intention.request_id, request, write)

    async def quote(self, place: Place, patience_s: float) -> order_pb2.Order:
        """Return the order that would be placed, or its refusal; nothing is written.

        Raises ParticipantUnavailableError.
        """
        try:
            answer = await self._inventory.quote(place, timeout_s=patience_s)
        except grpc.aio.AioRpcError as error:
            raise ParticipantUnavailableError(INVENTORY) from error
        match answer:
            case commands.Reserved(lines, total):
                return replies.to_quote(place, lines=lines, total=total)
            case commands.StepRefused(_, refusal):
                return replies.to_quote(place, refusal=refusal)
            case Contradiction():
                raise ParticipantUnavailableError(INVENTORY)
