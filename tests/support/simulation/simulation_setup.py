"""Opens a simulated suite: its databases, a simulated processor, and its stock."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from services.chassis.ids import IdFactory
from services.chassis.store.database import Database
from services.inventory.store.tables import MIGRATIONS as INVENTORY_MIGRATIONS
from services.order.store.tables import MIGRATIONS as ORDER_MIGRATIONS
from services.payment.processor.simulated.adapter import open_simulated_processor
from services.payment.store.tables import MIGRATIONS as PAYMENT_MIGRATIONS
from tests.support.clock.manual_clock import ManualClock
from tests.support.order.scripted_failures import FailureScript
from tests.support.simulation.dependencies import SimulationDependencies
from tests.support.simulation.simulated_inventory import SimulatedInventory
from tests.support.simulation.simulated_order import SimulatedOrderService
from tests.support.simulation.simulated_payment import SimulatedPayment
from tests.support.simulation.simulated_suite import SimulatedSuite
from tests.support.store.databases import Databases

# A test lets hours pass while a thread of a database works in real time.
_NO_LIMIT_S = 1e6


@asynccontextmanager
async def open_simulated_suite(
    databases: Databases, seed: int, *, units: Mapping[str, int]
) -> AsyncIterator[SimulatedSuite]:
    """Open a suite with stock: `units` of each SKU. The seed decides the order of events."""
    clock, rng = ManualClock(), random.Random(seed)
    ids = IdFactory(clock=clock, rng=random.Random(seed))
    dependencies = SimulationDependencies(clock, ids, rng, FailureScript())
    async with AsyncExitStack() as open_now:

        async def opened(versions: Path, name: str) -> Database:
            url = await databases.migrated(versions, name)
            database = await Database.open(
                url, clock=clock, owner="test", lock_wait_s=_NO_LIMIT_S, timeout_s=_NO_LIMIT_S
            )
            open_now.push_async_callback(database.close)
            return database

        processor = await open_now.enter_async_context(
            open_simulated_processor(databases.url("processor"), clock=clock, owner="test")
        )
        inventory = SimulatedInventory(
            await opened(INVENTORY_MIGRATIONS, "inventory"), dependencies
        )
        payment = SimulatedPayment(
            await opened(PAYMENT_MIGRATIONS, "payment"), dependencies, processor
        )
        orders = SimulatedOrderService(
            await opened(ORDER_MIGRATIONS, "order"), dependencies, inventory, payment
        )
        await inventory.add_stock(units)
        yield SimulatedSuite(
            clock, dependencies, orders=orders, inventory=inventory, payment=payment
        )
