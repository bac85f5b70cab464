"""Backups of a service on PostgreSQL are put back by the commands of the page."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

import grpc
import psycopg
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
from tests.support.suite.operator_pages import blocks, commands, shell
from tests.support.suite.service_process import service_process

PAGE = "backup-and-restore.md"
ITEM = ItemUpsert(
    sku="LAMP",
    name="Lamp",
    unit_price=Money(currency_code="USD", minor_units=900),
    initial_on_hand_count=5,
)


@contextmanager
def running_server(data: Path, archive: Path) -> Iterator[PostgresServer]:
    """A server that archives its log; root's files become those of the user that it runs as."""
    if os.geteuid() == 0:
        for path in (archive, *(data.rglob("*") if data.exists() else ()), data):
            if path.exists():
                shutil.chown(path, "nobody", "nogroup")
    archiving = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}
    log = archive.with_suffix(".log")
    server = PostgresServer(data, log_file=log, settings=NOT_DURABLE | archiving)
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Where the write-ahead log is archived."""
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


@pytest.fixture
def server(tmp_path: Path, archive: Path) -> Iterator[PostgresServer]:
    """A server with an empty database."""
    with running_server(tmp_path / "data", archive) as started:
        started.create_database("inventory")
        yield started


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


async def stock_lamps(channel: grpc.aio.Channel) -> None:
    """Bring in the first lamps."""
    upsert = UpsertItemsRequest(request_id=str(UUID(int=1)), items=[ITEM])
    await InventoryServiceStub(channel).UpsertItems(upsert)


async def find(channel: grpc.aio.Channel, number: int, request: int) -> None:
    """Find some more."""
    adjust = AdjustStockRequest(
        request_id=str(UUID(int=request)), sku=ITEM.sku, delta=number, reason="found"
    )
    await InventoryServiceStub(channel).AdjustStock(adjust)


async def test_a_dump_of_a_running_service_is_its_state_and_a_new_history(
    server: PostgresServer, tmp_path: Path
) -> None:
    """What was written after the dump is gone, and the event log has another epoch."""
    url = server.url("inventory")
    # The page's example is the order service, whose commands are those of every service.
    variables = {"ORDER_DATABASE_URL": url, "BACKUPS": str(tmp_path)}
    dump = commands(PAGE, POSTGRESQL, heading="Back up")
    _, put_back = commands(PAGE, "", POSTGRESQL, heading="Restore").split("\n", 1)
    async with inventory(url) as channel:
        await stock_lamps(channel)
        await operate(dump, variables)
        await find(channel, 2, request=2)
        assert await units(channel) == 7
        before = await epoch_of(channel)

    await operate(put_back.replace("services.order", "services.inventory"), variables)

    async with inventory(url) as channel:
        assert await units(channel) == 5
        assert await epoch_of(channel) != before


async def test_a_server_goes_back_to_an_instant(
    server: PostgresServer, tmp_path: Path, archive: Path
) -> None:
    """What was written after the base backup and before the instant is there, and no more."""
    back_up, put_back = (block.text for block in blocks(PAGE) if block.kind == "server")
    new_data = tmp_path / "new"
    variables = {
        "SERVER_URL": server.url("postgres"),
        "BACKUPS": str(tmp_path),
        "ARCHIVE": str(archive),
        "NEW_DATA": str(new_data),
    }
    async with inventory(server.url("inventory")) as channel:
        await stock_lamps(channel)
        await operate(back_up, variables)
        await find(channel, 2, request=2)
        with psycopg.connect(server.url("postgres")) as connection:
            (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or ("",)
        await find(channel, 1, request=3)
        before = await epoch_of(channel)
    server.stop()

    await operate(put_back, {**variables, "INSTANT": str(now)})
    with running_server(new_data, archive) as restored:
        url = restored.url("inventory")
        _, new_epoch = commands(PAGE, "", heading="Restore").split("\n", 1)
        await operate(
            new_epoch.replace("services.order", "services.inventory"), {"ORDER_DATABASE_URL": url}
        )
        async with inventory(url) as channel:
            assert await units(channel) == 7
            assert await epoch_of(channel) != before
