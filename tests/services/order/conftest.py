"""The fixtures that the tests of orders share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

from services.chassis.server.service_definition import Service
from services.order.store.tables import MIGRATIONS
from tests.support.chassis.pytest_grpc_aio import grpc_channel, grpc_server  # noqa: F401
from tests.support.order.order_service import Instance, OrderService
from tests.support.order.stepped_sagas import SteppedSagas
from tests.support.store.databases import Databases


@pytest_asyncio.fixture
async def sagas(databases: Databases) -> AsyncIterator[SteppedSagas]:
    """Order instances whose sagas are driven step by step."""
    sagas = SteppedSagas(databases)
    yield sagas
    await sagas.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def order_service(module_databases: Databases) -> OrderService:
    """An order service shared by the tests of a module."""
    return OrderService(await module_databases.migrated(MIGRATIONS, "order"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grpc_servicer(order_service: OrderService) -> AsyncIterator[Service]:
    """Its first instance."""
    async with order_service.service() as service:
        yield service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[OrderServiceStub]:
    """The stub class of the fixture `grpc_stub`."""
    return OrderServiceStub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(
    order_service: OrderService, grpc_stub: OrderServiceAsyncStub
) -> AsyncIterator[Instance]:
    """Another instance on the same database."""
    async with order_service.instance("second") as second:
        yield second
