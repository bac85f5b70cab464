"""The expiry of holds, on a real database and with the test's clock."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database, StoreUnavailableError
from services.inventory import hold_expiry
from services.inventory.api.item_writes import ItemWrites
from services.inventory.api.reservation_writes import ReservationWrites
from services.inventory.domain.state import ReservationState
from services.inventory.hold_expiry import HoldExpiry
from services.inventory.store import item_rows, reservation_listing
from services.inventory.store.tables import MIGRATIONS
from services.inventory.wire import requests
from tests.support.clock.manual_clock import ManualClock
from tests.support.inventory.inventory_in_memory import TTL_S, new_request_id, reserve, rsv, upsert
from tests.support.store.databases import Databases, opened_database


@dataclass
class Instance:
    """One instance: its database, its writes and its expiry loop."""

    database: Database
    clock: ManualClock
    items: ItemWrites
    reservations: ReservationWrites
    expiry: HoldExpiry

    async def holds(self, *orders: str) -> None:
        """Each order holds one apple."""
        request = rpc.UpsertItemsRequest(request_id=new_request_id(), items=[upsert("apple", 999)])
        await self.database.write(self.items.upsert, requests.upsert_items(request))
        wanted = [requests.reserve_stock(reserve(order, apple=1)) for order in orders]
        await asyncio.gather(
            *(self.database.write(self.reservations.reserve, each) for each in wanted)
        )

    async def state(self, order: str) -> ReservationState:
        """The order's reservation."""
        return (await self.database.read(reservation_listing.get_reservation, rsv(order))).state

    async def held(self) -> int:
        """The number of held apples."""
        return (await self.database.read(item_rows.get_level, "apple")).held


@asynccontextmanager
async def opened(databases: Databases, clock: ManualClock) -> AsyncIterator[Instance]:
    """An instance on the shared database."""
    async with opened_database(databases, MIGRATIONS) as database:
        ids = IdFactory(clock=clock, rng=random.Random(1))
        log = EventLog(clock=clock, ids=ids)
        reservations = ReservationWrites(log=log, clock=clock)
        expiry = HoldExpiry(database=database, reservations=reservations, clock=clock)
        yield Instance(database, clock, ItemWrites(log=log, clock=clock), reservations, expiry)


async def test_holds_are_expired_within_a_second(databases: Databases) -> None:
    """A hold is expired within one interval of the loop."""
    clock = ManualClock()
    async with opened(databases, clock) as instance, asyncio.TaskGroup() as group:
        await instance.holds("1")
        task = group.create_task(instance.expiry.run())
        await clock.wait_for_sleepers()
        await clock.advance(TTL_S - 1)
        await clock.wait_for_sleepers()
        assert await instance.state("1") is ReservationState.HELD

        await clock.advance(hold_expiry.EXPIRE_EVERY_S)
        await clock.wait_for_sleepers()

        assert await instance.state("1") is ReservationState.EXPIRED
        task.cancel()


async def test_all_overdue_holds_are_expired(databases: Databases) -> None:
    """All overdue holds are expired, in writes of a bounded size."""
    clock = ManualClock()
    async with opened(databases, clock) as instance:
        await instance.holds(*(str(number) for number in range(1, hold_expiry.BATCH + 3)))
        assert await instance.expiry.expire_overdue() == 0
        await clock.advance(TTL_S)

        assert await instance.expiry.expire_overdue() == hold_expiry.BATCH + 2
        assert await instance.held() == 0


async def test_two_instances_expire_each_hold_once(databases: Databases) -> None:
    """Two instances that expire the same holds give each unit back once."""
    clock = ManualClock()
    async with opened(databases, clock) as here, opened(databases, clock) as there:
        await here.holds("1", "2", "3")
        await clock.advance(TTL_S)

        expired = await asyncio.gather(here.expiry.expire_overdue(), there.expiry.expire_overdue())

        assert sum(expired) == 3
        assert await there.held() == 0


class FailingOnce(ReservationWrites):
    """Fails to read its tables the first time."""

    failures = 1

    def has_overdue(self, connection: Connection) -> bool:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("the store is away")
        return super().has_overdue(connection)


async def test_the_loop_goes_on_after_a_failure(databases: Databases) -> None:
    """The expiry loop goes on after an outage of the store."""
    clock = ManualClock()
    async with opened(databases, clock) as instance, asyncio.TaskGroup() as group:
        await instance.holds("1")
        log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(2)))
        expiry = HoldExpiry(
            database=instance.database, reservations=FailingOnce(log=log, clock=clock), clock=clock
        )
        await clock.advance(TTL_S)
        task = group.create_task(expiry.run())
        await clock.wait_for_sleepers()
        assert await instance.state("1") is ReservationState.HELD

        await clock.advance(hold_expiry.EXPIRE_EVERY_S)
        await clock.wait_for_sleepers()

        assert await instance.state("1") is ReservationState.EXPIRED
        task.cancel()
