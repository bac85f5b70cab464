"""Stops processes of a running suite where they stand, and lets them go on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest

from scripts.suite.slot import Slot
from services.chassis.store.file_lock import FileLock
from tests.support.store.databases import SQLITE
from tests.support.suite.breakable_suite import CLOCK, POLL_S, WAIT_S, BreakableSuite

_OWNER = "SELECT owner FROM lease WHERE subject = %s FOR UPDATE"
# Whoever has begun a batch, and can't go on because of this connection.
_HELD_UP = (
    "SELECT application_name FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
    " AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
)
_IDLE_IN_A_BATCH = (
    "SELECT count(*) FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE application_name = %s AND state LIKE 'idle in transaction%%'"
    " AND locktype = 'advisory' AND granted"
)


@asynccontextmanager
async def frozen(*slots: Slot) -> AsyncIterator[None]:
    """Instances that stand still for the time of a block."""
    for slot in slots:
        await stop(slot)
    try:
        yield
    finally:
        for slot in slots:
            resume(slot)


async def stop(slot: Slot) -> None:
    """Freeze the process, and return once all of it stands still.

    Earlier, a thread that waits for the lock could still get it, and be stopped with it.
    """
    assert slot.process is not None
    slot.process.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, slot.process.pid, os.WSTOPPED)


def resume(slot: Slot) -> None:
    """Let it go on."""
    assert slot.process is not None
    slot.process.send_signal(signal.SIGCONT)


async def freeze_owner(breakable: BreakableSuite, order_id: str) -> Slot:
    """Stop whoever drives the order, at the worst moment that its database survives."""
    async with asyncio.timeout(WAIT_S):
        if breakable.kind == SQLITE:
            return await _between_batches(breakable, order_id)
        return await _in_a_batch(breakable, order_id)


async def _between_batches(breakable: BreakableSuite, order_id: str) -> Slot:
    """While nobody can write: one that has the writers' lock would stop all of SQLite."""
    file = Path(breakable.database_url("order").removeprefix("sqlite:///"))
    lock = FileLock(file.with_suffix(".db.lock"))
    while True:
        await asyncio.to_thread(lock.acquire)
        try:
            answer = await breakable.stubs.sagas.GetSaga(GetSagaRequest(order_id=order_id))
            if answer.saga.owner:
                owner = breakable.slot_of(answer.saga.owner)
                await stop(owner)
                return owner
        finally:
            lock.release()
        await CLOCK.sleep(POLL_S)


async def _in_a_batch(breakable: BreakableSuite, order_id: str) -> Slot:
    """While it writes what came of its step, and has the lock that all writers need.

    Its row is held up by us until it stands still; then the server does its statement, and waits
    in vain for the next one.
    """
    url = breakable.database_url("order")
    async with (
        await psycopg.AsyncConnection.connect(url) as holder,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as observer,
    ):
        while not (owner := await _first(holder, _OWNER, order_id)):
            await holder.rollback()
            await CLOCK.sleep(POLL_S)
        slot = breakable.slot_of(owner)
        while await _first(observer, _HELD_UP, holder.info.backend_pid) != slot.name:
            await CLOCK.sleep(POLL_S / 10)
        await stop(slot)
        await holder.rollback()
        while not await _first(observer, _IDLE_IN_A_BATCH, slot.name):
            await CLOCK.sleep(POLL_S / 10)
    return slot


async def _first(connection: psycopg.AsyncConnection, query: str, value: object) -> Any:
    row = await (await connection.execute(query.encode(), (value,))).fetchone()
    return None if row is None else row[0]
