"""Plain clients follow orders at the edge, while what serves them is killed and started again."""

import asyncio
import uuid
from itertools import cycle, islice

import httpx2
import pytest
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.payment.v1.payment_service_pb2 import RefundPaymentRequest
from tradepost.type.v1.money_pb2 import Money

from tests.support.limits import WAIT_S
from tests.support.storefront.followed_stream import FollowedStream
from tests.support.suite.breakable_suite import CLOCK
from tests.support.suite.suite_pages import PagesAtEdge

pytestmark = pytest.mark.asyncio(loop_scope="session")

CUSTOMERS = ("flo", "gil", "hal")
KILLS = 2
RESTARTS = 2


def new_id(*parts: object) -> str:
    """The request_id of what these parts name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(map(str, parts))))


async def an_order(shop: PagesAtEdge, customer_id: str) -> str:
    """A customer's confirmed order of tea."""
    request = rpc.CreateOrderRequest(
        request_id=new_id(customer_id),
        customer_id=customer_id,
        payment_method="pm_visa",
        lines=[rpc.CreateOrderLine(sku="tea", quantity=2)],
    )
    return (await shop.breakable.buy(request)).order_id


async def refund_a_cent(shop: PagesAtEdge, order_id: str, number: int) -> None:
    """Make something happen to an order: it observes the refund of a part of its payment."""
    order = (await shop.stubs.orders.GetOrder(rpc.GetOrderRequest(order_id=order_id))).order
    request = RefundPaymentRequest(
        request_id=new_id(order_id, number),
        payment_id=order.payment_id,
        amount=Money(currency_code="USD", minor_units=1),
        reason="a cent of it",
    )
    await shop.stubs.payments.RefundPayment(request, timeout=WAIT_S)


async def ship(shop: PagesAtEdge, order_id: str) -> int:
    """Fulfill an order, which ends its stream; return its last version."""
    request = rpc.FulfillOrderRequest(request_id=new_id("ship", order_id), order_id=order_id)
    return (await shop.stubs.orders.FulfillOrder(request, timeout=WAIT_S)).order.version


async def restart_edge(shop: PagesAtEdge) -> None:
    """Stop the edge, with all connections through it, and start it again."""
    await shop.edge.slot.stop()
    await shop.edge.slot.start()
    await shop.edge.wait_until_listening()


async def test_no_version_is_lost_or_told_twice(shop: PagesAtEdge) -> None:
    """Each client is told each version once, in order, whatever is killed or started again."""
    order_ids = [await an_order(shop, customer) for customer in CUSTOMERS]
    async with httpx2.AsyncClient(base_url=shop.edge.url, verify=shop.edge.tls() or True) as http:
        streams = [
            FollowedStream(http, f"/mobile/v1/orders/{order_id}/live", shop.bearer(customer), CLOCK)
            for order_id, customer in zip(order_ids, CUSTOMERS, strict=True)
        ]
        following = [asyncio.create_task(stream.follow()) for stream in streams]
        slots = islice(cycle(shop.breakable.slots("order")), KILLS)
        breaks = [shop.kill(slot) for slot in slots] + [restart_edge(shop) for _ in range(RESTARTS)]
        for number, broken in enumerate(breaks):
            await asyncio.gather(
                broken, *(refund_a_cent(shop, order_id, number) for order_id in order_ids)
            )
        newest = [await ship(shop, order_id) for order_id in order_ids]
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(*following)

    for stream, version in zip(streams, newest, strict=True):
        assert stream.versions == list(range(1, version + 1))
    assert sum(stream.connections for stream in streams) > len(streams)
