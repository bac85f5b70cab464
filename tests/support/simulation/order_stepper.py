"""The order service without a server: orders are placed, cancelled and driven step by step."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import Connection
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.consumer.inbox import Handler
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database
from services.chassis.work.lease import StaleLeaseError
from services.order.checkout import consumer as checkout_consumer
from services.order.checkout.checkout_leases import WrittenOrder
from services.order.checkout.consumer import CheckoutConsumer
from services.order.checkout.participants import ParticipantChannels
from services.order.domain.events import Coordination
from services.order.domain.state import Order
from services.order.parts import Dependencies, assemble
from services.order.settings import SagaSettings
from services.order.store.tables import CHECKOUT_LEASE
from services.order.wire import requests
from tests.support.order.scripted_failures import CrashingDatabase, ProcessDiedError
from tests.support.simulation.participants import Door, Means, Money, Stock, as_channel

SETTINGS = SagaSettings()
_BOTH = tuple(Coordination)


class WatchedDatabase(CrashingDatabase):
    """The orders' database: after each of its commits somebody may want something."""

    def __init__(self, database: Database, means: Means, look: Callable[[], Any]) -> None:
        super().__init__(database, means.script)
        self._look = look

    async def write(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        self._script.reach("before an order moves")
        result = await self._database.write(function, *args, **kwargs)
        await self._look()
        self._script.reach("after an order moved")
        return result


class Counter:
    """Orders; `begun` is the work that nobody has driven yet."""

    name = "order"

    def __init__(self, database: Database, means: Means, stock: Stock, money: Money) -> None:
        self.database = database
        self._means = means
        self._called = ParticipantChannels(as_channel(Door(stock)), as_channel(Door(money)))
        self._entered = 0
        self._watched: tuple[str, int] | None = None
        self.enter()

    @property
    def log(self) -> EventLog:
        """The log of orders."""
        return self.parts.log

    def enter(self) -> None:
        """Begin anew, as a new process: nobody drives what the last one had begun."""
        means, self.begun = self._means, list[WrittenOrder]()
        self._entered += 1
        self.written: Any = WatchedDatabase(self.database, means, self._look)
        self.parts = assemble(
            cast(Database, self.written),
            Dependencies(
                clock=means.clock,
                ids=means.ids,
                rng=means.rng,
                participants=self._called,
                settings=SETTINGS,
                owner=f"order-{self._entered}",
            ),
        )
        consumer = CheckoutConsumer(
            streams=self.parts.streams,
            recorder=self.parts.recorder,
            leases=self.parts.checkout_leases,
            after_commit=self.begun.append,
        )
        self.handlers: Mapping[str, Handler] = {
            checkout_consumer.RESERVATION_CONSUMER: consumer,
            checkout_consumer.PAYMENT_CONSUMER: consumer,
        }

    async def place(self, request: rpc.CreateOrderRequest, *, cancel_at: int | None = None) -> str:
        """Place an order, asking again where nobody answers; the id it has in the end.

        It is cancelled as soon as it has come to the version `cancel_at`.
        """
        request.request_id = self._request_id()
        intention = requests.create_order(request, _BOTH)
        while True:
            order_id = self._means.ids.new("ord")
            self._watched = None if cancel_at is None else (order_id, cancel_at)
            try:
                written = await self.written.write(self.parts.writes.place, intention, order_id)
            except ProcessDiedError:
                self.enter()
                continue
            self.begun.append(written)
            return str(written.order_id)

    async def drive(self) -> bool:
        """Drive the oldest work that was begun; False where there is none."""
        if not self.begun:
            return False
        work = self.begun.pop(0)
        if work.claim is None:
            return True
        if work.loaded is not None:
            self.parts.runner.begin(work.claim, work.loaded)
        try:
            await self.parts.runner.drive(work.claim)
        except ProcessDiedError:
            self.enter()
        except StaleLeaseError:
            # Somebody else drives it by now.
            pass
        return True

    async def claim_due(self) -> None:
        """Find what nobody drives."""
        claims = await self.database.write(self.parts.leases.claim_due, CHECKOUT_LEASE, 10)
        self.begun += [WrittenOrder(claim.subject, claim=claim) for claim in claims]

    async def order(self, order_id: str) -> Order:
        """The order as its stream tells it."""
        return (await self.database.read(self.parts.streams.load, order_id)).order

    async def history(self, order_id: str) -> list[str]:
        """The names of its events."""
        stored = await self.database.read(self.log.read_stream, order_id)
        return [event.type.rpartition(".")[2] for event in stored]

    async def _look(self) -> None:
        """Cancel the order that is watched, if it has come so far."""
        if self._watched is None:
            return
        order_id, version = self._watched
        if await self.database.read(self._version, order_id) < version:
            return
        self._watched = None
        request = rpc.CancelOrderRequest(request_id=self._request_id(), order_id=order_id)
        intention = requests.cancel_order(request)
        self.begun.append(await self.database.write(self.parts.writes.change, intention))

    def _version(self, connection: Connection, order_id: str) -> int:
        return len(self.log.read_stream(connection, order_id))

    def _request_id(self) -> str:
        return str(uuid.UUID(hex=self._means.ids.new("req").removeprefix("req_")))


def order_of(
    coordination: Coordination, *, sku: str, quantity: int, method: str
) -> rpc.CreateOrderRequest:
    """A request without an id."""
    return rpc.CreateOrderRequest(
        customer_id="ann",
        payment_method=method,
        lines=[rpc.CreateOrderLine(sku=sku, quantity=quantity)],
        coordination=cast(order_pb2.Coordination, int(coordination)),
    )
