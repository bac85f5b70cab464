"""What the tests of the inventory share: a shop in memory, and the service over real gRPC."""

import random
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server import Service
from services.inventory.service import build
from tests.grpc_bridge import grpc_channel, grpc_server  # noqa: F401
from tests.inventory.shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    """An empty shop at nine in the morning."""
    shop = Shop()
    yield shop
    shop.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grpc_servicer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """The whole service on a database of its own."""
    clock = SystemClock()
    path = tmp_path_factory.mktemp("inventory") / "inventory.db"
    async with build(
        database_url=f"sqlite:///{path}",
        clock=clock,
        ids=IdFactory(clock=clock, rng=random.Random(7)),
    ) as service:
        yield service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[InventoryServiceStub]:
    """Calls it as an application does."""
    return InventoryServiceStub
