"""One running suite for all tests of this folder: a real Consul, two instances of each service."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tradepost.inventory.v1.inventory_service_pb2 import ItemUpsert, UpsertItemsRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.type.v1.money_pb2 import Money

import discovery
from discovery.clock import SystemClock
from discovery.registry.instance import Instance
from scripts.suite import cluster
from tests.support.suite.environments import build_wheel, environment_with


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[cluster.Cluster]:
    """The suite that no test breaks, with 1,000 armchairs and a single lamp.

    It stops with the last test of this folder: an idle suite takes a tenth of a core.
    """
    folder = tmp_path_factory.mktemp("suite")
    rng = random.Random(1)
    async with cluster.running(folder, instances=2, clock=SystemClock(), rng=rng) as running:
        async with discovery.open_channel(running.target("inventory")) as channel:
            await InventoryServiceStub(channel).UpsertItems(
                UpsertItemsRequest(
                    request_id="0b5f1c52-52f1-4a0e-9d0f-6b8f0f6f2a11",
                    items=[
                        _item("CRUNCHY-ARMCHAIR", 12_900, 1_000),
                        _item("LONELY-LAMP", 4_500, 1),
                    ],
                )
            )
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def order_instances(suite: cluster.Cluster) -> tuple[Instance, ...]:
    """Both instances of the order service."""
    return await suite.instances("order")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `pip install tradepost` would install."""
    return await build_wheel(tmp_path_factory.mktemp("dist"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment with the wheel and its dependencies only."""
    folder = tmp_path_factory.mktemp("application") / "empty"
    return await asyncio.to_thread(environment_with, wheel, folder)


def _item(sku: str, price_minor: int, units: int) -> ItemUpsert:
    return ItemUpsert(
        sku=sku,
        name=sku.title(),
        unit_price=Money(currency_code="USD", minor_units=price_minor),
        initial_on_hand_count=units,
    )
