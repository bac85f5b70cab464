"""The order service without a server: its commands, consumers and drives, one step at a time."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from sqlalchemy import Connection
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.consumer.inbox import Handler
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database
from services.chassis.work.lease import StaleLeaseError
from services.order.checkout import consumer as checkout_consumer
from services.order.checkout import refund_consumer
from services.order.checkout.checkout_leases import WrittenOrder
from services.order.checkout.consumer import CheckoutConsumer
from services.order.checkout.participants import ParticipantChannels
from services.order.domain.events import Coordination
from services.order.domain.queries import OrderFilter
from services.order.domain.state import Order
from services.order.parts import Dependencies, assemble
from services.order.settings import SagaSettings
from services.order.store import order_view
from services.order.store.tables import CHECKOUT_LEASE
from services.order.wire import requests
from tests.support.order.scripted_failures import CrashingDatabase, FailureScript, ProcessDiedError
from tests.support.simulation.dependencies import SimulationDependencies
from tests.support.simulation.in_process_channel import channel_to
from tests.support.simulation.simulated_inventory import SimulatedInventory
from tests.support.simulation.simulated_payment import SimulatedPayment

SETTINGS = SagaSettings()
_BOTH = tuple(Coordination)


class ObservedDatabase(CrashingDatabase):
    """A database whose process can die, and that calls `after_commit` after each COMMIT."""

    def __init__(
        self, database: Database, script: FailureScript, after_commit: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(database, script)
        self._after_commit = after_commit

    async def write(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        self._script.reach("before an order is written")
        result = await self._database.write(function, *args, **kwargs)
        await self._after_commit()
        self._script.reach("after an order is written")
        await self._script.committed()
        return result


class SimulatedOrderService:
    """The order service; `pending` are orders that were written and not driven since.

    `handlers` are by the name of their consumer. `crashing` is the database as the service's
    process uses it: the script says where it dies.
    """

    name = "order"

    def __init__(
        self,
        database: Database,
        dependencies: SimulationDependencies,
        inventory: SimulatedInventory,
        payment: SimulatedPayment,
    ) -> None:
        self.database = database
        self._dependencies = dependencies
        self._participants = ParticipantChannels(channel_to(inventory), channel_to(payment))
        self._run_count = 0
        # The order to cancel next, and the version at which to do it.
        self._cancel_at: tuple[str, int] | None = None
        self.restart()

    @property
    def log(self) -> EventLog:
        """The event log of the orders."""
        return self.parts.store.log

    def restart(self) -> None:
        """Start a new process on the database; orders that the old one had begun are not driven."""
        dependencies, self.pending = self._dependencies, list[WrittenOrder]()
        self._run_count += 1
        self.crashing: Any = ObservedDatabase(
            self.database, dependencies.script, self._cancel_if_due
        )
        self.parts = assemble(
            cast(Database, self.crashing),
            Dependencies(
                clock=dependencies.clock,
                ids=dependencies.ids,
                rng=dependencies.rng,
                participants=self._participants,
                settings=SETTINGS,
                owner=f"order-{self._run_count}",
            ),
        )
        consumer = CheckoutConsumer(
            streams=self.parts.store.streams,
            recorder=self.parts.store.recorder,
            leases=self.parts.checkout_leases,
            after_commit=self.pending.append,
        )
        self.handlers: Mapping[str, Handler] = {
            checkout_consumer.RESERVATION_CONSUMER: consumer,
            checkout_consumer.PAYMENT_CONSUMER: consumer,
            refund_consumer.CONSUMER: self.parts.refunds,
        }

    async def place(self, request: rpc.CreateOrderRequest, *, cancel_at: int | None = None) -> str:
        """Place an order, and again where the process dies; return the id that it has in the end.

        It is cancelled as soon as it reaches the version `cancel_at`.
        """
        request.request_id = self._request_id()
        intention = requests.create_order(request, _BOTH)
        while True:
            order_id = self._dependencies.ids.new("ord")
            self._cancel_at = None if cancel_at is None else (order_id, cancel_at)
            try:
                written = await self.crashing.write(self.parts.writes.place, intention, order_id)
            except ProcessDiedError:
                self.restart()
                continue
            self.pending.append(written)
            return str(written.order_id)

    async def cancel(self, order_id: str) -> None:
        """Cancel an order, as its customer does. Raises OrderNotCancellableError."""
        request = rpc.CancelOrderRequest(request_id=self._request_id(), order_id=order_id)
        intention = requests.cancel_order(request)
        self.pending.append(await self.database.write(self.parts.writes.change, intention))

    async def fulfill(self, order_id: str) -> None:
        """Fulfill an order. Raises OrderNotFulfillableError."""
        request = rpc.FulfillOrderRequest(request_id=self._request_id(), order_id=order_id)
        intention = requests.fulfill_order(request)
        self.pending.append(await self.database.write(self.parts.writes.change, intention))

    async def take_back(self, order_id: str, units: Mapping[str, int] | None = None) -> None:
        """Return these units of an order, or everything. Raises OrderNotReturnableError."""
        request = rpc.ReturnOrderRequest(
            request_id=self._request_id(),
            order_id=order_id,
            lines=[
                rpc.ReturnOrderLine(sku=sku, quantity=quantity)
                for sku, quantity in (units or {}).items()
            ],
            return_all=units is None,
        )
        asked = requests.return_order(request)
        command = replace(asked.command, return_id=self._dependencies.ids.new("ret"))
        intention = replace(asked, command=command)
        self.pending.append(await self.database.write(self.parts.writes.take_back, intention))

    async def retry(self, order_id: str) -> None:
        """Retry the step of an order, as an operator does. Raises RetryCannotHelpError."""
        request = admin.RetrySagaRequest(request_id=self._request_id(), order_id=order_id)
        intention = requests.retry_saga(request)
        retried = await self.database.write(self.parts.writes.retry, intention)
        if retried.written is not None:
            self.pending.append(retried.written)

    async def drive_pending(self) -> bool:
        """Drive the order that is pending the longest; False where there is none."""
        if not self.pending:
            return False
        written = self.pending.pop(0)
        if written.claim is None:
            return True
        if written.loaded is not None:
            self.parts.runner.begin(written.claim, written.loaded)
        try:
            await self.parts.runner.drive(written.claim)
        except ProcessDiedError:
            self.restart()
        except StaleLeaseError:
            # Another owner has the lease by now.
            pass
        return True

    async def claim_due(self) -> None:
        """Claim orders that are due and have no owner."""
        claims = await self.database.write(self.parts.store.leases.claim_due, CHECKOUT_LEASE, 10)
        self.pending += [WrittenOrder(claim.subject, claim=claim) for claim in claims]

    async def order(self, order_id: str) -> Order:
        """Load an order from its events."""
        return (await self.database.read(self.parts.store.streams.load, order_id)).order

    async def snapshots(self) -> list[order_pb2.Order]:
        """List all orders, as ListOrders does; at most 1,000."""
        page = await self.database.read(order_view.page, self.log, OrderFilter(page_size=1_000))
        assert not page.has_more
        return [snapshot.order for snapshot in page.rows]

    async def history(self, order_id: str) -> list[str]:
        """Return the names of an order's events."""
        stored = await self.database.read(self.log.read_stream, order_id)
        return [event.type.rpartition(".")[2] for event in stored]

    async def _cancel_if_due(self) -> None:
        """Cancel the order that is to be cancelled, once it has reached its version."""
        if self._cancel_at is None:
            return
        order_id, version = self._cancel_at
        if await self.database.read(self._version, order_id) < version:
            return
        self._cancel_at = None
        await self.cancel(order_id)

    def _version(self, connection: Connection, order_id: str) -> int:
        return len(self.log.read_stream(connection, order_id))

    def _request_id(self) -> str:
        return str(uuid.UUID(hex=self._dependencies.ids.new("req").removeprefix("req_")))


def order_request(
    coordination: Coordination, *, sku: str, quantity: int, method: str
) -> rpc.CreateOrderRequest:
    """Make a request, without a request_id."""
    return rpc.CreateOrderRequest(
        customer_id="ann",
        payment_method=method,
        lines=[rpc.CreateOrderLine(sku=sku, quantity=quantity)],
        coordination=cast(order_pb2.Coordination, int(coordination)),
    )
