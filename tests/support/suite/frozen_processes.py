"""Freezes processes of a running suite (SIGSTOP), and resumes them."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest

from scripts.suite.processes.slot import ProcessSlot
from services.chassis.store.sqlite import FileLock
from tests.support.limits import WAIT_S
from tests.support.store.databases import SQLITE
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite

_OWNER = "SELECT owner FROM lease WHERE subject = %s"
# A batch that appends events reads the counter before its functions run.
_LOCK_COUNTER = "LOCK TABLE event_counter IN ACCESS EXCLUSIVE MODE"
# The client that has begun a batch and is blocked by this connection.
_BLOCKED_BY_US = (
    "SELECT application_name FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
    " AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
)
_IDLE_IN_A_BATCH = (
    "SELECT count(*) FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE application_name = %s AND state LIKE 'idle in transaction%%'"
    " AND locktype = 'advisory' AND granted"
)


@asynccontextmanager
async def frozen(*slots: ProcessSlot) -> AsyncIterator[None]:
    """Freeze instances during the block."""
    for slot in slots:
        await stop(slot)
    try:
        yield
    finally:
        for slot in slots:
            resume(slot)


async def stop(slot: ProcessSlot) -> None:
    """Freeze a process, and return once all its threads are stopped.

    Until then, a thread that waits for a lock could still get it, and be stopped while it holds it.
    """
    assert slot.process is not None
    slot.process.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(WAIT_S):
        while not _is_stopped(slot.process.pid):
            assert not slot.ended
            await CLOCK.sleep(POLL_S / 10)


def _is_stopped(pid: int) -> bool:
    """Whether all threads of a process are stopped."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        # A thread has just ended, so not all were stopped.
        return False
    return {thread.rpartition(")")[2].split()[0] for thread in threads} == {"T"}


def resume(slot: ProcessSlot) -> None:
    """Resume a frozen process."""
    assert slot.process is not None
    slot.process.send_signal(signal.SIGCONT)


async def freeze_owner(breakable: BreakableSuite, order_id: str) -> ProcessSlot:
    """Freeze the instance that drives an order, at the worst moment that its database survives."""
    async with asyncio.timeout(WAIT_S):
        if breakable.kind == SQLITE:
            return await _between_batches(breakable, order_id)
        return await _in_a_batch(breakable, order_id)


async def _between_batches(breakable: BreakableSuite, order_id: str) -> ProcessSlot:
    """Freeze the owner while we hold the writers' lock of SQLite.

    An instance that were frozen with that lock would stop all writers.
    """
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


async def _in_a_batch(breakable: BreakableSuite, order_id: str) -> ProcessSlot:
    """Freeze the owner while it writes the result of its step and holds the writers' lock.

    We lock what its batch reads first until it is frozen; then the server answers, and waits in
    vain for what the batch writes.
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
        await holder.execute(_LOCK_COUNTER)
        while await _first(observer, _BLOCKED_BY_US, holder.info.backend_pid) != slot.name:
            await CLOCK.sleep(POLL_S / 10)
        await stop(slot)
        await holder.rollback()
        while not await _first(observer, _IDLE_IN_A_BATCH, slot.name):
            await CLOCK.sleep(POLL_S / 10)
    return slot


async def _first(connection: psycopg.AsyncConnection, query: str, value: object) -> Any:
    row = await (await connection.execute(query.encode(), (value,))).fetchone()
    return None if row is None else row[0]
