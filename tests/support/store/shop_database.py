"""The shop's database: it runs a history of writes in batches of a chosen size."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from psycopg.errors import InFailedSqlTransaction
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database
from services.chassis.store.dialect import Dialect
from services.chassis.store.unit.change import Change
from services.chassis.store.unit.needs import Need
from services.chassis.store.urls import dialect_of
from services.chassis.work.lease import Leases
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, Gate, open_database
from tests.support.store.shop_histories import Write
from tests.support.store.shop_steps import Tools
from tests.support.store.shop_tables import Tables, all_rows, create_shop, open_shop

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

CANCELLED = ("cancelled",)

Function = Callable[[Connection], object]


class RefusedError(Exception):
    """The end of a write that fails; it tells what the write had read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a history has left: the answers of its writes, the rows, and the changes reported."""

    answers: list[tuple[object, ...]]
    rows: Tables
    changes: list[tuple[int, str, int]]


class WritersLock:
    """Takes the writers' lock like another process, so that all writes wait."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        dialect.lock()
        self._connection = dialect.open_writer()
        dialect.unlock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while the block runs."""
        self._dialect.lock()
        self._dialect.begin(self._connection)
        try:
            yield
        finally:
            self._dialect.rollback(self._connection)
            self._dialect.unlock()

    def close(self) -> None:
        """Close the connection."""
        self._dialect.close(self._connection)


class Shop:
    """An opened database with the shop's tables; its clock stands still, so batches are full."""

    def __init__(self, database: Database, lock: WritersLock) -> None:
        self.database = database
        self._lock = lock
        self._changes: list[Change] = []
        database.on_changes(self._changes.extend)

    @classmethod
    async def open(cls, databases: Databases) -> Self:
        """Open the database `test` with the tables of the chassis and of the shop."""
        database = await open_database(databases, clock=ManualClock())
        await database.write(create_shop)
        return cls(database, WritersLock(dialect_of(databases.url())))

    async def run(self, history: Sequence[Write], size: int) -> Outcome:
        """Run writes on the rows with which a shop begins, so many in each transaction."""
        await self.database.write(open_shop)
        self._changes.clear()
        tools = _every_tools(history)
        answers: list[tuple[object, ...]] = []
        for begin in range(0, len(history), size):
            part = history[begin : begin + size]
            with self._lock.held():
                calls = await self._queue(part, tools[begin : begin + size])
            answers += await _answers(calls)
        return await self._outcome(answers)

    async def run_behind_gate(self, history: Sequence[Write]) -> Outcome:
        """Run writes that arrive while a function runs, so that its transaction takes them in."""
        await self.database.write(open_shop)
        self._changes.clear()
        gate = Gate()
        first = asyncio.create_task(self.database.write(gate))
        await gate.entered()
        calls = await self._queue(history, _every_tools(history))
        gate.open()
        await first
        return await self._outcome(await _answers(calls))

    async def together(self, *functions: Function, needs: Sequence[Need] = ()) -> list[object]:
        """Run functions in one transaction; their results and errors."""
        with self._lock.held():
            calls = [
                asyncio.create_task(self.database.write(function, needs=needs))
                for function in functions
            ]
            await asyncio.sleep(0)
        return list(await asyncio.gather(*calls, return_exceptions=True))

    async def rows(self, table: str) -> list[tuple[object, ...]]:
        """The rows of a table."""
        return (await self.database.read(all_rows))[table]

    async def close(self) -> None:
        """Close the database."""
        self._lock.close()
        await self.database.close()

    async def _queue(
        self, history: Sequence[Write], tools: Sequence[Tools]
    ) -> list[asyncio.Task[tuple[object, ...]]]:
        """Queue writes, and cancel those whose callers leave before their turn."""
        calls = [
            asyncio.create_task(self.database.write(_run, write, its, needs=write.needs()))
            for write, its in zip(history, tools, strict=True)
        ]
        await asyncio.sleep(0)
        for write, call in zip(history, calls, strict=True):
            if write.is_cancelled:
                call.cancel()
        await asyncio.sleep(0)
        return calls

    async def _outcome(self, answers: list[tuple[object, ...]]) -> Outcome:
        rows = await self.database.read(all_rows)
        changes = [(each.position, each.stream, each.version) for each in self._changes]
        return Outcome(answers, rows, changes)


@asynccontextmanager
async def opened_shop(databases: Databases) -> AsyncIterator[Shop]:
    """A shop that is closed after the block, with the rows with which one begins."""
    shop = await Shop.open(databases)
    try:
        await shop.database.write(open_shop)
        yield shop
    finally:
        await shop.close()


def _run(connection: Connection, write: Write, tools: Tools) -> tuple[object, ...]:
    answers = tuple(do.step(connection, tools, *do.args) for do in write.steps)
    if write.fails:
        raise RefusedError(answers)
    return answers


def _every_tools(history: Sequence[Write]) -> list[Tools]:
    """The tools of each write. Those of one owner share its leases' tokens and jitter."""
    ids = IdFactory(clock=ManualClock(), rng=random.Random(7))
    found = []
    for write in history:
        clock = ManualClock(_NOON + timedelta(seconds=write.second))
        leases = Leases(owner=write.owner, clock=clock, rng=random.Random(7))
        found.append(Tools(clock, EventLog(clock=clock, ids=ids), leases))
    return found


async def _answers(calls: Sequence[asyncio.Task[tuple[object, ...]]]) -> list[tuple[object, ...]]:
    return [_answer(each) for each in await asyncio.gather(*calls, return_exceptions=True)]


def _answer(result: tuple[object, ...] | BaseException) -> tuple[object, ...]:
    """What a caller sees; the further lines of an error's text name numbers of the database."""
    match result:
        case asyncio.CancelledError():
            return CANCELLED
        case InFailedSqlTransaction() | DBAPIError(orig=InFailedSqlTransaction()):
            # PostgreSQL refuses what follows a failed statement. If nothing follows, because the
            # function's keys were read before, the store refuses the function with this error.
            return "RuntimeError", "the function went on after a statement had failed"
        case BaseException():
            return type(result).__name__, *str(result).splitlines()[:1]
    return result
