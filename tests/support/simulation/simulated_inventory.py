"""The inventory service without a server: its RPCs and its consumers, one step at a time."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.type.v1.money_pb2 import Money

from services.chassis.consumer.inbox import Handler
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database
from services.inventory.api.item_writes import ItemWrites
from services.inventory.api.reservation_writes import ReservationWrites
from services.inventory.api.servicer import InventoryServicer
from services.inventory.checkout import consumer as inventory_consumer
from services.inventory.wire.errors import ERRORS
from tests.support.order.scripted_failures import crashing
from tests.support.simulation.dependencies import SimulationDependencies


class _IgnoredContext:
    """A call's context that drops what the servicer sets."""

    def set_trailing_metadata(self, _: object) -> None:
        """Drop the mark of a replay."""


@dataclass
class SimulatedInventory:
    """The inventory service; `handlers` are by the name of their consumer.

    `crashing` is the database as the service's process uses it: the script says where it dies.
    """

    name = "inventory"
    errors = ERRORS
    database: Database
    dependencies: SimulationDependencies

    def __post_init__(self) -> None:
        self.log = EventLog(clock=self.dependencies.clock, ids=self.dependencies.ids)
        self.restart()

    def restart(self) -> None:
        """Start a new process on the database."""
        clock = self.dependencies.clock
        self.reservations = reservations = ReservationWrites(log=self.log, clock=clock)
        self.crashing = crashing(self.database, self.dependencies.script)
        self.servicer = InventoryServicer(
            database=self.crashing,
            items=ItemWrites(log=self.log, clock=clock),
            reservations=reservations,
        )
        self.handlers: Mapping[str, Handler] = {
            inventory_consumer.ORDER_CONSUMER: inventory_consumer.OrderPlacedHandler(reservations),
            inventory_consumer.PAYMENT_CONSUMER: inventory_consumer.PaymentAuthorizedHandler(
                reservations
            ),
        }

    async def add_stock(self, units: Mapping[str, int]) -> None:
        """Create items with these units, each at a price that follows from its SKU."""
        items = [
            rpc.ItemUpsert(
                sku=sku,
                name=sku,
                unit_price=Money(currency_code="USD", minor_units=100 + len(sku)),
                initial_on_hand_count=number,
            )
            for sku, number in units.items()
        ]
        request_id = str(uuid.UUID(int=1))
        await self.call("UpsertItems", rpc.UpsertItemsRequest(request_id=request_id, items=items))

    async def expire_overdue(self) -> None:
        """Expire the holds whose time is over."""
        await self.database.write(self.reservations.expire, 10)

    async def call(self, method: str, request: Any) -> Message:
        """Answer an RPC."""
        return cast(Message, await getattr(self.servicer, method)(request, _IgnoredContext()))
