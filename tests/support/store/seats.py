"""Two small tables, and writes that share a batch, for tests of what they do to each other."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, MetaData, String, Table, text

from services.chassis.store.database import Database
from services.chassis.store.unit.rows import Rows
from tests.support.store.databases import Gate

TABLES = MetaData()
_IS_LIVE = text("is_live = 1")
SEAT = Table(
    "seat",
    TABLES,
    Column("seat_id", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("is_live", Integer, nullable=False),
    Index("seat_live", "owner", unique=True, sqlite_where=_IS_LIVE, postgresql_where=_IS_LIVE),
)
SEATS = Rows(SEAT)
GUEST = Table("guest", TABLES, Column("name", String, primary_key=True))
GUESTS = Rows(GUEST)


async def together(database: Database, *writes: Callable[[Connection], Any]) -> list[Any]:
    """Queue writes while another one runs, so that they share its batch; return their outcomes."""
    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    await gate.entered()
    tasks = [asyncio.create_task(database.write(write)) for write in writes]
    await asyncio.sleep(0)
    gate.open()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def put_seat(connection: Connection, seat_id: str, *, is_live: bool) -> None:
    """Put a seat of the only owner."""
    SEATS.put(connection, {"seat_id": seat_id, "owner": "ann", "is_live": int(is_live)})
