"""Creates, watches and cancels an order, and reads the reason of a refusal.

    pip install . && python tests/clients/python/order.py consul:///order 1082185

Both are typed in a checkout: the package isn't on PyPI. The arguments are the target of the order
service and the sku to buy; each step prints a line of JSON. `./scripts/run --stay` prints the
CONSUL_HTTP_ADDR that the target needs.
"""

import asyncio
import json
import sys
import uuid

import grpc
from tradepost.order.v1 import order_pb2
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CreateOrderLine,
    CreateOrderRequest,
    FulfillOrderRequest,
    WatchOrderRequest,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

import discovery


async def main(target: str, sku: str) -> None:
    """Run through the steps of one customer."""
    async with discovery.open_channel(target) as channel:
        orders = OrderServiceStub(channel)

        # A call whose answer is lost is repeated with the same request_id: one order, always.
        created = await orders.CreateOrder(
            CreateOrderRequest(
                request_id=new_request_id(),
                customer_id="python",
                lines=[CreateOrderLine(sku=sku, quantity=2)],
                payment_method="pm_visa",
            )
        )
        order_id = created.order.order_id
        show(created=state(created.order), total=created.order.total.minor_units)

        # The stream ends when the order is settled; resume it with after_version.
        async for change in orders.WatchOrder(WatchOrderRequest(order_id=order_id)):
            show(version=change.version, type=change.event_type)

        cancel = CancelOrderRequest(
            request_id=new_request_id(), order_id=order_id, reason="changed my mind"
        )
        cancelled = await orders.CancelOrder(cancel)
        show(cancelled=state(cancelled.order))

        try:
            await orders.FulfillOrder(
                FulfillOrderRequest(request_id=new_request_id(), order_id=order_id)
            )
        except grpc.aio.AioRpcError as error:
            info = discovery.error_info(error)
            if info is None:  # not the service's answer: the network's, or gRPC's own
                raise
            show(refused=error.code().name, reason=info.reason, domain=info.domain)


def new_request_id() -> str:
    """A new id for one request and its repetitions."""
    return str(uuid.uuid4())


def state(order: order_pb2.Order) -> str:
    """The name of the order's state, such as `ORDER_STATE_CONFIRMED`."""
    return order_pb2.OrderState.Name(order.state)


def show(**line: str | int) -> None:
    """Print one line of JSON."""
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python order.py TARGET SKU")
    asyncio.run(main(*sys.argv[1:]))
