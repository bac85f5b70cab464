"""Fixtures of the inventory tests: use cases on a database, and the service over gRPC."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server.service_definition import Service
from services.inventory.parts import Dependencies
from services.inventory.service import build
from services.inventory.store.tables import MIGRATIONS
from tests.support.chassis.pytest_grpc_aio import grpc_channel, grpc_server  # noqa: F401
from tests.support.inventory.inventory_in_memory import InventoryInMemory
from tests.support.store.databases import POSTGRESQL, Databases


@pytest_asyncio.fixture
async def inventory(databases: Databases) -> AsyncIterator[InventoryInMemory]:
    """An inventory without items, at nine o'clock."""
    url = await databases.migrated(MIGRATIONS, "use_cases")
    inventory = InventoryInMemory(url if databases.kind == POSTGRESQL else None)
    yield inventory
    inventory.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grpc_servicer(module_databases: Databases) -> AsyncIterator[Service]:
    """The whole service on a database of its own."""
    clock = SystemClock()
    rng = random.Random(7)
    async with build(
        database_url=await module_databases.migrated(MIGRATIONS, "inventory"),
        dependencies=Dependencies(clock, IdFactory(clock=clock, rng=rng), rng),
    ) as service:
        yield service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[InventoryServiceStub]:
    """The stub that an application would use."""
    return InventoryServiceStub
