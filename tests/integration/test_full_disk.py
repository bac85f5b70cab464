"""A disk that is full under one service: what can't be kept is refused, and nothing is lost."""

import asyncio
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import grpc
import pytest
from tradepost.inventory.v1.inventory_service_pb2 import AdjustStockRequest, GetStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.admin.v1.saga_admin_service_pb2 import GetSagaRequest
from tradepost.order.v1.order_pb2 import OrderState

from scripts.replay.cluster import Slot
from services.chassis.errors import error_reason
from tests.integration.town import CLOCK, POLL_S, WAIT_S, Town, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What a saga remembers of its last attempt.
REFUSED = "reserve: UNAVAILABLE"


async def test_a_full_disk_loses_nothing(town: Town) -> None:
    """Inventory answers UNAVAILABLE and goes on reading; its orders wait until there is room."""
    request = await town.a_request(6)
    sku = request.lines[0].sku
    before = (await town.stubs.inventory.GetStock(GetStockRequest(sku=sku))).stock
    adjust = AdjustStockRequest(request_id=str(UUID(int=6)), sku=sku, delta=9, reason="found")

    with no_room(town.slots("inventory")):
        for instance in await town.suite.instances("inventory"):
            async with grpc.aio.insecure_channel(instance.endpoint) as channel:
                stub = InventoryServiceStub(channel)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await stub.AdjustStock(adjust)
                stock = (await stub.GetStock(GetStockRequest(sku=sku))).stock
            reason = error_reason(refused.value)
            assert reason is not None
            assert (reason.code, reason.reason) == (
                grpc.StatusCode.UNAVAILABLE,
                "STORE_UNAVAILABLE",
            )
            assert stock == before
        creating = asyncio.ensure_future(town.stubs.orders.CreateOrder(request, timeout=WAIT_S))
        await is_stuck(town, await town.placed(request.customer_id))
    adjusted = (await town.stubs.inventory.AdjustStock(adjust)).stock

    order = await settled(town.stubs.orders, (await creating).order.order_id)
    assert order.state in (OrderState.ORDER_STATE_CONFIRMED, OrderState.ORDER_STATE_CANCELLED)
    assert adjusted.on_hand_count == before.on_hand_count + 9
    assert await town.wrong_books() == []


async def is_stuck(town: Town, order_id: str) -> None:
    """Wait until the order was refused its stock, and waits to ask again."""
    request = GetSagaRequest(order_id=order_id)
    async with asyncio.timeout(WAIT_S):
        while (await town.stubs.sagas.GetSaga(request)).saga.last_error != REFUSED:
            await CLOCK.sleep(POLL_S)


@contextmanager
def no_room(slots: Sequence[Slot]) -> Iterator[None]:
    """Let no file of these processes grow, nor be written but for its first byte.

    A quota needs no privileges, where a small file system of one's own does.
    """
    pids = [slot.process.pid for slot in slots if slot.process is not None]
    roomy = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, roomy, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        for pid, limits in zip(pids, roomy, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
