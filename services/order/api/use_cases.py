"""What the RPCs ask for, from intention to answer: write, have it driven, wait.

An order is durable before anybody waits for it, and driven whether or not anybody does.
"""

from collections.abc import Callable
from dataclasses import replace

import grpc
from tradepost.order.v1 import order_pb2

from services.chassis.ids import IdFactory
from services.chassis.request.intention import Intention
from services.chassis.saga.model import Contradiction
from services.chassis.store.database import Database
from services.order.api.order_writes import OrderWrites, RetriedSaga, WrittenOrder
from services.order.api.waiting import OrderWaiter
from services.order.checkout.inventory_calls import INVENTORY, InventoryCalls
from services.order.domain import commands
from services.order.domain.commands import Cancel, Fulfill, Place, RetryStep
from services.order.domain.errors import ParticipantUnavailableError
from services.order.store.order_view import OrderSnapshot
from services.order.wire import replies

Begin = Callable[[WrittenOrder], None]


class OrderUseCases:
    """The use cases that change orders; `begin` has the work of a committed write driven."""

    def __init__(
        self,
        *,
        database: Database,
        ids: IdFactory,
        orders: OrderWrites,
        waiting: OrderWaiter,
        inventory: InventoryCalls,
        begin: Begin,
    ) -> None:
        self._database = database
        self._ids = ids
        self._orders = orders
        self._waiting = waiting
        self._inventory = inventory
        self._begin = begin

    async def place(self, intention: Intention[Place], patience_s: float) -> OrderSnapshot:
        """Place an order and wait until it is settled, or out of patience."""
        order_id = self._ids.new("ord")
        with self._waiting.follow(order_id) as follower:
            place = self._orders.place
            written = await self._database.write(place, intention, order_id, then=self._begin)
            if written.loaded is not None:
                version = written.loaded.order.version
                return await self._waiting.settled(follower, version, patience_s)
        return replace(await self._waiting.join(written.order_id, patience_s), replayed=True)

    async def change(
        self, intention: Intention[Cancel] | Intention[Fulfill], patience_s: float
    ) -> OrderSnapshot:
        """Cancel or fulfill an order and wait until it is settled, or out of patience."""
        written = await self._database.write(self._orders.change, intention, then=self._begin)
        snapshot = await self._waiting.join(written.order_id, patience_s)
        return replace(snapshot, replayed=written.loaded is None)

    async def retry(self, intention: Intention[RetryStep]) -> RetriedSaga:
        """Have the current step of a saga tried at once."""

        def begin(retried: RetriedSaga) -> None:
            if retried.written is not None:
                self._begin(retried.written)

        return await self._database.write(self._orders.retry, intention, then=begin)

    async def quote(self, place: Place, patience_s: float) -> order_pb2.Order:
        """What an order would be, and what it would be refused for; nothing is written.

        Raises ParticipantUnavailableError.
        """
        try:
            answer = await self._inventory.quote(place, timeout_s=patience_s)
        except grpc.aio.AioRpcError as error:
            raise ParticipantUnavailableError(INVENTORY) from error
        match answer:
            case commands.Reserved(lines, total):
                return replies.to_quote(place, lines=lines, total=total)
            case commands.ReserveRefused(refusal):
                return replies.to_quote(place, refusal=refusal)
            case Contradiction():
                raise ParticipantUnavailableError(INVENTORY)
