"""Waits until the customer summary has taken in all orders that there are."""

from tradepost.event.v1.event_service_pb2 import GetFeedRequest
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.order.v1.order_service_pb2 import GetCustomerSummaryRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

import discovery
from scripts.suite.cluster import POLL_S, START_TIMEOUT_S, Cluster, StartError


async def taken_in(cluster: Cluster) -> None:
    """Return once it has reached the ends of both feeds. Raises StartError where it doesn't."""
    async with (
        discovery.open_channel(cluster.target("order")) as orders,
        discovery.open_channel(cluster.target("payment")) as payments,
    ):
        feeds = [EventFeedServiceStub(channel) for channel in (orders, payments)]
        heads = [(await feed.GetFeed(GetFeedRequest())).head_position for feed in feeds]
        give_up_s = cluster.clock.monotonic() + START_TIMEOUT_S
        # Any customer's summary tells how far all of them are.
        ask = GetCustomerSummaryRequest(customer_id="anybody")
        while True:
            answer = await OrderServiceStub(orders).GetCustomerSummary(ask)
            if answer.position >= heads[0] and answer.payment_position >= heads[1]:
                return
            if cluster.clock.monotonic() > give_up_s:
                raise StartError("the customer summary doesn't follow its feeds")
            await cluster.clock.sleep(POLL_S)
