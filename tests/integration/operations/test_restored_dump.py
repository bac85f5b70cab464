"""A dump of a service on PostgreSQL is put back by the commands of the page."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import grpc
import pytest
from tradepost.event.v1.event_service_pb2 import GetFeedRequest
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.inventory.v1.inventory_service_pb2 import (
    AdjustStockRequest,
    GetStockRequest,
    ItemUpsert,
    UpsertItemsRequest,
)
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.type.v1.money_pb2 import Money

from scripts.suite.postgres import NOT_DURABLE, PostgresServer
from tests.support.store.databases import POSTGRESQL
from tests.support.suite.operator_pages import commands, shell
from tests.support.suite.service_process import service_process

PAGE = "backup-and-restore.md"
ITEM = ItemUpsert(
    sku="LAMP",
    name="Lamp",
    unit_price=Money(currency_code="USD", minor_units=900),
    initial_on_hand_count=5,
)


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    server = PostgresServer(tmp_path / "data", log_file=tmp_path / "log", settings=NOT_DURABLE)
    server.start()
    server.create_database("inventory")
    yield server.url("inventory")
    server.close()


@asynccontextmanager
async def inventory(database_url: str) -> AsyncIterator[grpc.aio.Channel]:
    """A running instance; it is stopped as an operator does."""
    async with service_process("inventory", {"DATABASE_URL": database_url}) as instance:
        port = (await instance.line("serving"))["port"]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
        assert await instance.stop() == 0


async def operate(script: str, variables: Mapping[str, str]) -> None:
    """Run commands of the page, none of which may fail."""
    done = await shell(script, variables)
    assert done.code == 0, done.err


async def epoch_of(channel: grpc.aio.Channel) -> str:
    """The epoch of the service's event log."""
    return (await EventFeedServiceStub(channel).GetFeed(GetFeedRequest())).epoch


async def units(channel: grpc.aio.Channel) -> int:
    """How many lamps there are."""
    stock = await InventoryServiceStub(channel).GetStock(GetStockRequest(sku=ITEM.sku))
    return stock.stock.on_hand_count


async def test_a_dump_of_a_running_service_is_its_state_and_a_new_history(
    database_url: str, tmp_path: Path
) -> None:
    """What was written after the dump is gone, and the event log has another epoch."""
    # The page's example is the order service, whose commands are those of every service.
    variables = {"ORDER_DATABASE_URL": database_url, "BACKUPS": str(tmp_path)}
    dump = commands(PAGE, POSTGRESQL, heading="Back up")
    _, put_back = commands(PAGE, "", POSTGRESQL, heading="Restore").split("\n", 1)
    async with inventory(database_url) as channel:
        stub = InventoryServiceStub(channel)
        await stub.UpsertItems(UpsertItemsRequest(request_id=str(UUID(int=1)), items=[ITEM]))
        await operate(dump, variables)
        await stub.AdjustStock(
            AdjustStockRequest(
                request_id=str(UUID(int=2)), sku=ITEM.sku, delta=2, reason="found two"
            )
        )
        assert await units(channel) == 7
        before = await epoch_of(channel)

    await operate(put_back.replace("services.order", "services.inventory"), variables)

    async with inventory(database_url) as channel:
        assert await units(channel) == 5
        assert await epoch_of(channel) != before
