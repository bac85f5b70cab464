"""What the tests of orders share: a shop in memory, and one over real gRPC."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

from services.chassis.server import Service
from tests.grpc_bridge import grpc_channel, grpc_server  # noqa: F401
from tests.order.rig import Rig
from tests.order.shop import Instance, Shop

# Processes die in these tests, power doesn't fail: a file in memory is as good as one on disk.
_MEMORY = Path("/dev/shm")


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """A folder for one test, in memory where the system has such a place."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest_asyncio.fixture
async def rig(memory_path: Path) -> AsyncIterator[Rig]:
    """Instances that are driven step by step."""
    rig = Rig(memory_path)
    yield rig
    await rig.close()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """What the instances of a module share."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Shop(Path(folder))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grpc_servicer(shop: Shop) -> AsyncIterator[Service]:
    """The first instance."""
    async with shop.service() as service:
        yield service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[OrderServiceStub]:
    """Calls it as an application does."""
    return OrderServiceStub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(shop: Shop, grpc_stub: OrderServiceAsyncStub) -> AsyncIterator[Instance]:
    """Another instance on the same database."""
    async with shop.instance("second") as second:
        yield second
