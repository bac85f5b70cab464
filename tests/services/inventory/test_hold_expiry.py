"""The sweeper, on a real file, with time in the test's hands."""

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
from services.inventory import hold_expiry as driver
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
class Place:
    """One instance: its database, and what it does to it."""

    database: Database
    clock: ManualClock
    items: ItemWrites
    reservations: ReservationWrites
    sweeper: HoldExpiry

    async def holds(self, *orders: str) -> None:
        """Each order holds one apple."""
        request = rpc.UpsertItemsRequest(request_id=new_request_id(), items=[upsert("apple", 999)])
        await self.database.write(self.items.upsert, requests.upsert_items(request))
        wanted = [requests.reserve_stock(reserve(order, apple=1)) for order in orders]
        await asyncio.gather(
            *(self.database.write(self.reservations.reserve, each) for each in wanted)
        )

    async def state(self, order: str) -> ReservationState:
        """Where the order's reservation stands."""
        return (await self.database.read(reservation_listing.get_reservation, rsv(order))).state

    async def held(self) -> int:
        """How many apples are held."""
        return (await self.database.read(item_rows.get_level, "apple")).held


@asynccontextmanager
async def opened(databases: Databases, clock: ManualClock) -> AsyncIterator[Place]:
    """An instance on the database that all instances share."""
    async with opened_database(databases, MIGRATIONS) as database:
        ids = IdFactory(clock=clock, rng=random.Random(1))
        log = EventLog(clock=clock, ids=ids)
        reservations = ReservationWrites(log=log, clock=clock)
        sweeper = HoldExpiry(database=database, reservations=reservations, clock=clock)
        yield Place(database, clock, ItemWrites(log=log, clock=clock), reservations, sweeper)


async def test_holds_are_swept_within_a_second(databases: Databases) -> None:
    """A hold outlives its time by one look of the sweeper at most."""
    clock = ManualClock()
    async with opened(databases, clock) as place, asyncio.TaskGroup() as group:
        await place.holds("1")
        task = group.create_task(place.sweeper.run())
        await clock.wait_for_sleepers()
        await clock.advance(TTL_S - 1)
        await clock.wait_for_sleepers()
        assert await place.state("1") is ReservationState.HELD

        await clock.advance(driver.EXPIRE_EVERY_S)
        await clock.wait_for_sleepers()

        assert await place.state("1") is ReservationState.EXPIRED
        task.cancel()


async def test_a_sweep_ends_everything_that_is_due(databases: Databases) -> None:
    """However many there are, in writes of a bounded size."""
    clock = ManualClock()
    async with opened(databases, clock) as place:
        await place.holds(*(str(number) for number in range(1, driver.BATCH + 3)))
        assert await place.sweeper.expire_overdue() == 0
        await clock.advance(TTL_S)

        assert await place.sweeper.expire_overdue() == driver.BATCH + 2
        assert await place.held() == 0


async def test_two_sweepers_do_no_harm(databases: Databases) -> None:
    """Instances that sweep the same holds give each unit back once."""
    clock = ManualClock()
    async with opened(databases, clock) as here, opened(databases, clock) as there:
        await here.holds("1", "2", "3")
        await clock.advance(TTL_S)

        swept = await asyncio.gather(here.sweeper.expire_overdue(), there.sweeper.expire_overdue())

        assert sum(swept) == 3
        assert await there.held() == 0


class Moody(ReservationWrites):
    """Cannot reach its tables the first time."""

    failures = 1

    def has_overdue(self, connection: Connection) -> bool:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("the store is away")
        return super().has_overdue(connection)


async def test_a_failed_sweep_is_followed_by_another(databases: Databases) -> None:
    """An outage of the store ends no sweeper."""
    clock = ManualClock()
    async with opened(databases, clock) as place, asyncio.TaskGroup() as group:
        await place.holds("1")
        log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(2)))
        sweeper = HoldExpiry(
            database=place.database, reservations=Moody(log=log, clock=clock), clock=clock
        )
        await clock.advance(TTL_S)
        task = group.create_task(sweeper.run())
        await clock.wait_for_sleepers()
        assert await place.state("1") is ReservationState.HELD

        await clock.advance(driver.EXPIRE_EVERY_S)
        await clock.wait_for_sleepers()

        assert await place.state("1") is ReservationState.EXPIRED
        task.cancel()
