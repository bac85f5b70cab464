"""What a batch has read is forgotten where a statement of a function's own may have changed it."""

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from services.chassis.store.unit.unit import Unit
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, Gate, opened_database
from tests.support.store.seats import GUEST, SEAT, SEATS, TABLES, put_seat, together


async def test_a_statement_of_its_own_forgets_its_table_only(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a batch has read of other tables stays known after a function's own INSERT."""

    def add_guest(connection: Connection, number: int) -> None:
        SEATS.one(connection, "a")
        connection.execute(insert(GUEST).values(name=f"{number}"))

    reads: list[str] = []

    def counting(unit: Unit, wanted: Any) -> None:
        reads.extend(of.name for of in wanted)
        read(unit, wanted)

    read = Unit._read
    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(TABLES.create_all)
        monkeypatch.setattr(Unit, "_read", counting)
        await together(database, *(partial(add_guest, number=number) for number in range(5)))
    assert reads == ["seat"]


async def test_a_write_whose_needs_cannot_be_read_again_is_settled(databases: Databases) -> None:
    """Reading again what was forgotten may fail; the write is then among those that run again."""
    looks: list[None] = []

    def only_once(_: object) -> tuple[()]:
        looks.append(None)
        if len(looks) > 1:
            raise ValueError("no second look")
        return ()

    def forget_seats(connection: Connection) -> None:
        connection.execute(insert(SEAT).values(seat_id="a", owner="ann", is_live=0))

    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(TABLES.create_all)
        gate = Gate()
        first = asyncio.create_task(database.write(gate))
        await gate.entered()
        forgetting = asyncio.create_task(database.write(forget_seats))
        needs = [SEATS.need("b", only_once)]
        put = partial(put_seat, seat_id="b", is_live=True)
        putting = asyncio.create_task(database.write(put, needs=needs))
        await asyncio.sleep(0)
        gate.open()
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(first, forgetting, putting)
        assert await database.read(SEATS.one, "b") == ("b", "ann", 1)
