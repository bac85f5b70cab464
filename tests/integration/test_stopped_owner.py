"""A process that is frozen while it drives an order: another takes over, and it writes nothing."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import ListOrderEventsRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from scripts.replay.cluster import Slot
from services.chassis.file_lock import FileLock
from tests.integration.town import CLOCK, POLL_S, WAIT_S, Town, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What a driver says whose lease is another's by now: while recording, or while postponing.
FENCED = ('"drive_superseded"', '"postpone_failed"')


async def test_an_owner_frozen_past_its_lease_is_fenced(town: Town) -> None:
    """Another instance finishes the order; what the frozen one wakes up with is refused.

    Payment is frozen first, so that the order waits in the middle. The owner is stopped between
    two batches: in one it would keep the writers' lock, and all of SQLite waits for it.
    """
    request = await town.a_request(5)
    async with frozen(*town.slots("payment")):
        creating = asyncio.ensure_future(town.stubs.orders.CreateOrder(request, timeout=WAIT_S))
        order_id = await town.placed(request.customer_id)
        owner = await freeze_owner(town, order_id)
    said = len(owner.log.read_text())
    try:
        # A call to the frozen one would hang with it.
        async with another(town, owner) as channel:
            order = await settled(OrderServiceStub(channel), order_id)
    finally:
        resume(owner)
    await says_fenced(owner, said)
    await creating

    trail = await town.stubs.orders.ListOrderEvents(ListOrderEventsRequest(order_id=order_id))
    assert order.state in (OrderState.ORDER_STATE_CONFIRMED, OrderState.ORDER_STATE_CANCELLED)
    versions = [event.aggregate_version for event in trail.events]
    assert versions == list(range(1, order.version + 1))
    assert await town.wrong_books() == []


@asynccontextmanager
async def another(town: Town, slot: Slot) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the other instance of the service."""
    listed = await town.suite.instances(slot.service)
    endpoint = next(one.endpoint for one in listed if one.instance_id != slot.name)
    async with grpc.aio.insecure_channel(endpoint) as channel:
        yield channel


async def freeze_owner(town: Town, order_id: str) -> Slot:
    """Stop whoever drives the order, while nobody can write."""
    lock = FileLock(database_of(town.slots("order")[0]).with_suffix(".db.lock"))
    async with asyncio.timeout(WAIT_S):
        while True:
            await asyncio.to_thread(lock.acquire)
            try:
                answer = await town.stubs.sagas.GetSaga(GetSagaRequest(order_id=order_id))
                name = answer.saga.owner.partition("/")[0]
                for slot in town.slots("order"):
                    if slot.name == name:
                        await stop(slot)
                        return slot
            finally:
                lock.release()
            await CLOCK.sleep(POLL_S)


async def says_fenced(slot: Slot, behind: int) -> None:
    """Wait until the instance has noticed, in its log behind so many characters."""
    async with asyncio.timeout(WAIT_S):
        while not any(word in slot.log.read_text()[behind:] for word in FENCED):
            await CLOCK.sleep(POLL_S)


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
    assert slot.process is not None
    slot.process.send_signal(signal.SIGCONT)


def database_of(slot: Slot) -> Path:
    """The file that the instances of a service share."""
    return Path(slot.environment["DATABASE_URL"].removeprefix("sqlite:///"))
