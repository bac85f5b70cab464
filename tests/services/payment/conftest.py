"""Fixtures of the payment tests: the whole service over gRPC, with the simulated processor."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server.service_definition import Service
from services.payment.parts import Dependencies
from services.payment.processor.driver import DriveTiming
from services.payment.processor.urls import open_processor
from services.payment.service import build
from services.payment.store.tables import MIGRATIONS
from tests.support.chassis.pytest_grpc_aio import grpc_channel, grpc_server  # noqa: F401
from tests.support.store.databases import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grpc_servicer(
    module_databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """The whole service on a database of its own."""
    clock, rng = SystemClock(), random.Random(7)
    folder = tmp_path_factory.mktemp("payment")
    async with (
        open_processor(
            f"simulated://{folder / 'processor.db'}", clock=clock, owner="test"
        ) as opened,
        build(
            database_url=await module_databases.migrated(MIGRATIONS, "payment"),
            dependencies=Dependencies(
                clock=clock,
                ids=IdFactory(clock=clock, rng=rng),
                rng=rng,
                processor=opened.processor,
                testing=opened.testing,
                timing=DriveTiming(poll_s=0.02),
            ),
        ) as service,
    ):
        yield service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[PaymentServiceStub]:
    """The stub that an application would use."""
    return PaymentServiceStub
