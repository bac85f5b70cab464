"""Founds a village: databases, a processor with a book of its own, and full shelves."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from services.chassis.ids import IdFactory
from services.chassis.store.database import Database
from services.inventory.store.tables import MIGRATIONS as STOCK_MIGRATIONS
from services.order.store.tables import MIGRATIONS as ORDER_MIGRATIONS
from services.payment.parts import MIGRATIONS as MONEY_MIGRATIONS
from services.payment.processor.simulated.adapter import open_simulated_processor
from tests.support.clock.manual_clock import ManualClock
from tests.support.order.scripted_failures import FailureScript
from tests.support.simulation.order_stepper import Counter
from tests.support.simulation.participants import Means, Money, Stock
from tests.support.simulation.simulated_suite import Village
from tests.support.store.databases import Databases, open_database


@asynccontextmanager
async def village_of(
    databases: Databases, seed: int, *, units: Mapping[str, int]
) -> AsyncIterator[Village]:
    """A village with something on its shelves."""
    clock, rng = ManualClock(), random.Random(seed)
    means = Means(clock, IdFactory(clock=clock, rng=random.Random(seed)), rng, FailureScript())
    async with AsyncExitStack() as open_now:

        async def opened(versions: Path, name: str) -> Database:
            database = await open_database(databases, versions, clock=clock, name=name)
            open_now.push_async_callback(database.close)
            return database

        processor = await open_now.enter_async_context(
            open_simulated_processor(databases.url("processor"), clock=clock, owner="test")
        )
        stock = Stock(await opened(STOCK_MIGRATIONS, "inventory"), means)
        money = Money(await opened(MONEY_MIGRATIONS, "payment"), means, processor)
        orders = Counter(await opened(ORDER_MIGRATIONS, "order"), means, stock, money)
        await stock.fill(units)
        yield Village(clock, means, orders=orders, stock=stock, money=money)
