"""Order instances on one database whose sagas are driven step by step, under a manual clock.

Nothing polls: `drive_all` claims the due work, drives it and advances the clock to the next due
work, until nothing is left to do.
"""

import random
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.payment.v1 import payment_pb2 as pay

from services.chassis.ids import IdFactory, with_prefix
from services.chassis.log.event_log import StoredEvent
from services.chassis.store.database import Database
from services.chassis.work.lease import Claim, LeaseRow, StaleLeaseError
from services.order.api.order_writes import RetriedSaga
from services.order.checkout.checkout_leases import WrittenOrder
from services.order.checkout.participants import ParticipantChannels
from services.order.domain.events import Coordination
from services.order.domain.queries import OrderFilter
from services.order.domain.state import Order, OrderState
from services.order.parts import Dependencies, Parts, assemble
from services.order.settings import SagaSettings
from services.order.store import order_view
from services.order.store.order_streams import LoadedOrder
from services.order.store.tables import CHECKOUT_LEASE, MIGRATIONS
from services.order.wire import requests
from tests.support.clock.manual_clock import ManualClock
from tests.support.order.fake_participants import UNIT_PRICE, FakeInventory
from tests.support.order.fake_payment import FakePayment
from tests.support.order.local_channel import local_channel
from tests.support.order.scripted_failures import FailureScript, crashing
from tests.support.store.databases import Databases, open_database

_MOMENT = timedelta(milliseconds=1)
_ROUNDS_MAX = 1_000

STOCK = 100


@dataclass
class SteppedSagas:
    """Two participants in memory, a database, and any number of instances on it."""

    databases: Databases
    clock: ManualClock = field(default_factory=ManualClock)
    script: FailureScript = field(default_factory=FailureScript)
    settings: SagaSettings = field(default_factory=SagaSettings)
    opened: list[Database] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(7)
        self.ids = IdFactory(clock=self.clock, rng=self.rng)
        self.inventory = FakeInventory(clock=self.clock, script=self.script)
        self.payment = FakePayment(clock=self.clock, script=self.script)

    async def start(self, owner: str = "first") -> Parts:
        """Start an instance as if in its own process."""
        database = await open_database(
            self.databases, MIGRATIONS, clock=self.clock, owner=owner, name="order"
        )
        self.opened.append(database)
        dependencies = Dependencies(
            clock=self.clock,
            ids=self.ids,
            rng=self.rng,
            participants=ParticipantChannels(
                local_channel(self.inventory), local_channel(self.payment)
            ),
            settings=self.settings,
            owner=owner,
        )
        return assemble(crashing(database, self.script), dependencies)

    async def close(self) -> None:
        """Close every database."""
        for database in self.opened:
            await database.close()

    async def place(
        self,
        parts: Parts,
        *,
        quantity: int = 2,
        sku: str = "milk",
        method: str = "pm_visa",
        coordination: Coordination = Coordination.ORCHESTRATED,
    ) -> WrittenOrder:
        """Place an order, without driving it."""
        request = rpc.CreateOrderRequest(
            request_id=self._request_id(),
            customer_id="ann",
            payment_method=method,
            lines=[rpc.CreateOrderLine(sku=sku, quantity=quantity)],
        )
        intention = requests.create_order(request, (coordination,))
        return await parts.store.database.write(parts.writes.place, intention, self.ids.new("ord"))

    async def cancel(self, parts: Parts, order_id: str) -> WrittenOrder:
        """Cancel an order, without driving the work of the cancel."""
        request = rpc.CancelOrderRequest(
            request_id=self._request_id(), order_id=order_id, reason="changed my mind"
        )
        return await parts.store.database.write(parts.writes.change, requests.cancel_order(request))

    async def fulfill(self, parts: Parts, order_id: str) -> WrittenOrder:
        """Fulfill an order, without driving it."""
        request = rpc.FulfillOrderRequest(request_id=self._request_id(), order_id=order_id)
        return await parts.store.database.write(
            parts.writes.change, requests.fulfill_order(request)
        )

    async def take_back(self, parts: Parts, order_id: str, **units: int) -> WrittenOrder:
        """Return units of an order, or all that are left, without driving it."""
        request = rpc.ReturnOrderRequest(
            request_id=self._request_id(),
            order_id=order_id,
            lines=[rpc.ReturnOrderLine(sku=sku, quantity=count) for sku, count in units.items()],
            return_all=not units,
            reason="broken",
        )
        asked = requests.return_order(request)
        intention = replace(asked, command=replace(asked.command, return_id=self.ids.new("ret")))
        return await parts.store.database.write(parts.writes.take_back, intention)

    async def take_back_directly(self, order_id: str, **units: int) -> None:
        """Return units at inventory, past the order, as an operator may."""
        request = inventory_rpc.ReturnStockRequest(
            request_id=self._request_id(),
            reservation_id=with_prefix(order_id, "rsv"),
            lines=[inventory_rpc.ReturnLine(sku=sku, quantity=n) for sku, n in units.items()],
        )
        await self.inventory.ReturnStock(request)

    async def retry(self, parts: Parts, order_id: str) -> RetriedSaga:
        """Retry a saga as an operator does, without driving it."""
        request = admin.RetrySagaRequest(request_id=self._request_id(), order_id=order_id)
        return await parts.store.database.write(parts.writes.retry, requests.retry_saga(request))

    def _request_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    async def drive(self, parts: Parts, change: WrittenOrder) -> None:
        """Drive the work that a write opened, as the driver does after its COMMIT."""
        assert change.claim is not None
        assert change.loaded is not None
        parts.runner.begin(change.claim, change.loaded)
        await parts.runner.drive(change.claim)

    async def drive_all(self, parts: Parts, *, at_most_s: float = 3_600) -> None:
        """Drive all due work and advance the clock, until nothing is left or the time is up."""
        until = self.clock.now() + timedelta(seconds=at_most_s)
        for _ in range(_ROUNDS_MAX):
            claims = await parts.store.database.write(
                parts.store.leases.claim_due, CHECKOUT_LEASE, 10
            )
            for claim in claims:
                await self._drive(parts, claim)
            if claims:
                continue
            due = await self.next_due(parts)
            if due is None:
                return
            if due > until:
                await self.pass_time(until)
                return
            await self.pass_time(due + _MOMENT)
        raise AssertionError("the saga does not come to drive_all")

    async def _drive(self, parts: Parts, claim: Claim) -> None:
        try:
            await parts.runner.drive(claim)
        except StaleLeaseError:
            return

    async def next_due(self, parts: Parts) -> datetime | None:
        """Return when some work may be claimed; None when nothing is left to do."""
        rows = await parts.store.database.read(_rows, parts)
        return min(map(_free_at, rows), default=None)

    async def pass_time(self, until: datetime) -> None:
        """Advance the clock to an instant."""
        await self.clock.advance(max(0.0, (until - self.clock.now()).total_seconds()))

    async def load(self, parts: Parts, order_id: str) -> Order:
        """Load an order from its stream."""
        loaded: LoadedOrder = await parts.store.database.read(parts.store.streams.load, order_id)
        return loaded.order

    async def order_ids(self, parts: Parts) -> list[str]:
        """Return the ids of all orders."""
        page = await parts.store.database.read(
            order_view.page, parts.store.log, OrderFilter(page_size=1_000)
        )
        return [snapshot.order.order_id for snapshot in page.rows]

    async def history(self, parts: Parts, order_id: str) -> list[str]:
        """Return the names of an order's events."""
        stored = await parts.store.database.read(_stream, parts, order_id)
        return [event.type.rpartition(".")[2] for event in stored]

    def check_amounts(self, order: Order) -> None:
        """Check that a finished order agrees with what the participants hold."""
        payment = self.payment.of_order(order.order_id)
        reservation = self.inventory.reservations.get(order.reservation_id)
        money = pay.PAYMENT_STATE_UNSPECIFIED if payment is None else payment.state
        stock = rsv.RESERVATION_STATE_UNSPECIFIED if reservation is None else reservation.state
        assert self.payment.captures.get(order.order_id, 0) <= 1
        taken = 0 if payment is None else payment.captured_amount.minor_units
        returned = 0 if payment is None else payment.refunded_amount.minor_units
        match order.state:
            case OrderState.CONFIRMED:
                assert (money, stock) == (
                    pay.PAYMENT_STATE_CAPTURED,
                    rsv.RESERVATION_STATE_COMMITTED,
                )
            case OrderState.FULFILLED | OrderState.RETURNED:
                assert (money, stock) == (
                    pay.PAYMENT_STATE_CAPTURED,
                    rsv.RESERVATION_STATE_FULFILLED,
                )
            case OrderState.REFUNDED:
                assert taken == returned > 0
                assert stock == rsv.RESERVATION_STATE_RELEASED
            case OrderState.REJECTED | OrderState.CANCELLED:
                assert money not in (
                    pay.PAYMENT_STATE_AUTHORIZED,
                    pay.PAYMENT_STATE_CAPTURED,
                )
                assert stock not in (
                    rsv.RESERVATION_STATE_HELD,
                    rsv.RESERVATION_STATE_COMMITTED,
                )
            case _:
                raise AssertionError(f"{order.state.name} is not at drive_all")
        if order.state in (OrderState.CONFIRMED, OrderState.FULFILLED, OrderState.RETURNED):
            assert order.total is not None
            assert taken == order.total.minor_units == UNIT_PRICE * order.lines[0].quantity
            refunds = [each.refunded.minor_units for each in order.returns if each.refunded]
            assert sum(refunds) <= returned <= taken
            assert returned == 0 or order.returns
        self._check_stock()

    def _check_stock(self) -> None:
        away = dict.fromkeys(self.inventory.stock, 0)
        for reservation in self.inventory.reservations.values():
            if reservation.state in (
                rsv.RESERVATION_STATE_HELD,
                rsv.RESERVATION_STATE_COMMITTED,
                rsv.RESERVATION_STATE_FULFILLED,
            ):
                for line in reservation.lines:
                    away[line.sku] += line.quantity - line.returned_quantity
        assert all(STOCK - number == self.inventory.stock[sku] for sku, number in away.items())


def _rows(connection: Connection, parts: Parts) -> tuple[LeaseRow, ...]:
    return parts.store.leases.list(connection, kind=CHECKOUT_LEASE, limit=100)


def _free_at(row: LeaseRow) -> datetime:
    return max(row.next_attempt_time, row.lease_expire_time) if row.owner else row.next_attempt_time


def _stream(connection: Connection, parts: Parts, order_id: str) -> tuple[StoredEvent, ...]:
    return parts.store.log.read_stream(connection, order_id)
