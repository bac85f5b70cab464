"""Frozen processes and a full disk: what depends on them waits, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import grpc
import pytest
from tradepost.inventory.v1.inventory_service_pb2 import AdjustStockRequest, GetStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceAsyncStub,
    InventoryServiceStub,
)
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import ListOrderEventsRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from discovery.error_info import error_info
from scripts.suite.processes.slot import ProcessSlot
from tests.support.limits import WAIT_S
from tests.support.store.databases import KINDS
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite, settled
from tests.support.suite.frozen_processes import freeze_owner, frozen, resume
from tests.support.suite.full_disk import no_room

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("breakable", KINDS, indirect=True),
]

# What a driver logs that has lost its lease, while it records or while it postpones.
FENCED = ('"drive_superseded"', '"postpone_failed"')
# The last error that a saga has stored.
REFUSED = "reserve: UNAVAILABLE"
# Pages that the store has begun may have room for some more rows.
ROOM_LEFT_MAX = 200


async def test_an_owner_frozen_past_its_lease_is_fenced(breakable: BreakableSuite) -> None:
    """Another instance finishes the order; late writes of the frozen one are refused.

    Payment is frozen first, so that the order waits in the middle of its checkout. On SQLite the
    owner is frozen between two batches; on PostgreSQL in the middle of one, which the server ends.
    """
    request = await breakable.a_request(5)
    async with frozen(*breakable.slots("payment")):
        creating = asyncio.ensure_future(
            breakable.stubs.orders.CreateOrder(request, timeout=WAIT_S)
        )
        order_id = await breakable.placed(request.customer_id)
        owner = await freeze_owner(breakable, order_id)
    log_length = len(owner.log.read_text())
    try:
        # A call to the frozen instance would hang.
        async with another(breakable, owner) as channel:
            order = await settled(OrderServiceStub(channel), order_id)
    finally:
        resume(owner)
    await says_fenced(owner, log_length)
    await creating

    trail = await breakable.stubs.orders.ListOrderEvents(ListOrderEventsRequest(order_id=order_id))
    assert order.state in (OrderState.ORDER_STATE_CONFIRMED, OrderState.ORDER_STATE_CANCELLED)
    versions = [event.aggregate_version for event in trail.events]
    assert versions == list(range(1, order.version + 1))
    assert await breakable.wrong_books() == []


async def test_a_full_disk_loses_nothing(breakable: BreakableSuite) -> None:
    """With a full disk inventory refuses writes with UNAVAILABLE and still reads; orders wait.

    Acknowledged writes are kept, and refused ones happen once when they are repeated.
    """
    request = await breakable.a_request(6)
    sku = request.lines[0].sku
    on_hand = (
        await breakable.stubs.inventory.GetStock(GetStockRequest(sku=sku))
    ).stock.on_hand_count
    refused: list[AdjustStockRequest] = []

    with no_room(breakable, "inventory"):
        for number, instance in enumerate(await breakable.cluster.instances("inventory")):
            async with grpc.aio.insecure_channel(instance.endpoint) as channel:
                stub = InventoryServiceStub(channel)
                acknowledged, not_done = await adjust_until_refused(stub, sku, number)
                on_hand += acknowledged
                refused += not_done
                stock = (await stub.GetStock(GetStockRequest(sku=sku))).stock
                assert stock.on_hand_count == on_hand
        creating = asyncio.ensure_future(
            breakable.stubs.orders.CreateOrder(request, timeout=WAIT_S)
        )
        await is_stuck(breakable, await breakable.placed(request.customer_id))
    for adjust in refused:
        stock = (await breakable.stubs.inventory.AdjustStock(adjust)).stock

    order = await settled(breakable.stubs.orders, (await creating).order.order_id)
    assert order.state in (OrderState.ORDER_STATE_CONFIRMED, OrderState.ORDER_STATE_CANCELLED)
    assert stock.on_hand_count == on_hand + len(refused)
    assert await breakable.wrong_books() == []


async def adjust_until_refused(
    stub: InventoryServiceAsyncStub, sku: str, number: int
) -> tuple[int, list[AdjustStockRequest]]:
    """Add units one at a time; return how many were acknowledged, and the refused requests.

    Ends when two in a row are refused: a new connection may still find room in another page.
    """
    refused: list[AdjustStockRequest] = []
    in_a_row = 0
    for found in range(ROOM_LEFT_MAX):
        request_id = str(UUID(int=(number + 1) * 1_000 + found))
        adjust = AdjustStockRequest(request_id=request_id, sku=sku, delta=1, reason="found")
        try:
            await stub.AdjustStock(adjust)
        except grpc.aio.AioRpcError as error:
            reason = error_info(error)
            assert reason is not None
            code = error.code()
            assert code is grpc.StatusCode.UNAVAILABLE
            assert reason.reason == "STORE_UNAVAILABLE"
            refused.append(adjust)
            in_a_row += 1
            if in_a_row == 2:
                return found + 1 - len(refused), refused
        else:
            in_a_row = 0
    pytest.fail("the disk never was full")


async def is_stuck(breakable: BreakableSuite, order_id: str) -> None:
    """Wait until the order's reservation was refused, so that the saga waits to retry."""
    request = GetSagaRequest(order_id=order_id)
    async with asyncio.timeout(WAIT_S):
        while (await breakable.stubs.sagas.GetSaga(request)).saga.last_error != REFUSED:
            await CLOCK.sleep(POLL_S)


@asynccontextmanager
async def another(breakable: BreakableSuite, slot: ProcessSlot) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the other instance of the service."""
    listed = await breakable.cluster.instances(slot.service)
    endpoint = next(one.endpoint for one in listed if one.instance_id != slot.name)
    async with grpc.aio.insecure_channel(endpoint) as channel:
        yield channel


async def says_fenced(slot: ProcessSlot, behind: int) -> None:
    """Wait until the instance logs that it was fenced, after the first `behind` characters."""
    async with asyncio.timeout(WAIT_S):
        while not any(word in slot.log.read_text()[behind:] for word in FENCED):
            await CLOCK.sleep(POLL_S)
