"""The feed of the inventory service."""

import asyncio

import grpc
import pytest
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

from tests.support.inventory.inventory_in_memory import new_request_id, reserve, rsv, upsert
from tests.support.limits import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_items_and_reservations_are_in_the_feed(
    grpc_stub: InventoryServiceAsyncStub, grpc_channel: grpc.aio.Channel
) -> None:
    """The feed has the events of items and of reservations, with their aggregate types."""
    feed = EventFeedServiceStub(grpc_channel)
    head = (await feed.GetFeed(pb.GetFeedRequest())).head_position
    request = rpc.UpsertItemsRequest(request_id=new_request_id(), items=[upsert("pear", 5)])
    await grpc_stub.UpsertItems(request)
    await grpc_stub.ReserveStock(reserve("4711", pear=2))

    call = feed.SubscribeEvents(pb.SubscribeEventsRequest(after_position=head))
    received: list[tuple[str, str]] = []
    async with asyncio.timeout(WAIT_S):
        while (rsv("4711"), "reservation") not in received:
            message = await call.read()
            assert isinstance(message, pb.SubscribeEventsResponse)
            received += [(each.aggregate_id, each.aggregate_type) for each in message.batch.events]
    call.cancel()

    assert ("itm_pear", "item") in received
