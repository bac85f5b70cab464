"""One instance of `order` or `inventory`: two reads of their contracts, without a store.

    TRADEPOST_INSTANCE_ID=order-1 python -m scripts.benchmarks.edge.programs.shop_instance

It is built on the chassis, so it registers, drains and says how long an answer may be reused as
every service does. An order's customer is the instance that answered.
"""

import random
from typing import Any

import grpc
import uvloop
from tradepost.inventory.v1.inventory_service_pb2 import ListItemsRequest, ListItemsResponse
from tradepost.inventory.v1.item_pb2 import Item
from tradepost.order.v1.order_pb2 import Order, OrderLine, OrderState
from tradepost.order.v1.order_service_pb2 import GetOrderRequest, GetOrderResponse
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import Clock, SystemClock
from scripts.benchmarks.shared.unary_handler import unary_handler
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import RegistrySettings, ServerSettings

ORDERS = "tradepost.order.v1.OrderService"
ITEMS = "tradepost.inventory.v1.InventoryService"
# The order whose reads take a while, so that a fault meets calls that are under way.
SLOW_ORDER_ID = "ord_slow"
_SLOWEST_S = 0.05
_NANOS = 123_456_000


def order_of(order_id: str, instance: str) -> Order:
    """An ordinary order of about 300 bytes."""
    price = Money(currency_code="USD", minor_units=12_345)
    order = Order(
        order_id=order_id.ljust(40, "0"),
        customer_id=instance,
        state=OrderState.ORDER_STATE_CONFIRMED,
        total=price,
        reservation_id="rsv_".ljust(40, "1"),
        payment_id="pay_".ljust(40, "2"),
        version=6,
        lines=[
            OrderLine(sku=f"sku-{number}", quantity=number, unit_price=price)
            for number in (1, 2, 3, 4)
        ],
    )
    for time in (order.create_time, order.update_time, order.deadline_time):
        time.seconds, time.nanos = 1_790_000_000, _NANOS
    return order


def build(name: str, instance: str, *, clock: Clock, rng: random.Random) -> Service:
    """The service of this name as the instance of this name answers for it."""

    async def get_order(request: GetOrderRequest, _: Any) -> GetOrderResponse:
        if request.order_id == SLOW_ORDER_ID:
            await clock.sleep(rng.uniform(0, _SLOWEST_S))
        return GetOrderResponse(order=order_of(request.order_id, instance))

    async def list_items(_request: ListItemsRequest, _: Any) -> ListItemsResponse:
        price = Money(currency_code="USD", minor_units=250)
        items = [Item(sku=sku, name=sku.title(), unit_price=price) for sku in ("tea", "milk")]
        return ListItemsResponse(items=items)

    served = {
        "order": (ORDERS, "GetOrder", unary_handler(get_order, GetOrderRequest, GetOrderResponse)),
        "inventory": (
            ITEMS,
            "ListItems",
            unary_handler(list_items, ListItemsRequest, ListItemsResponse),
        ),
    }
    contract, method, handler = served[name]
    handlers = grpc.method_handlers_generic_handler(contract, {method: handler})
    return Service(
        name=name,
        servicers=[lambda server: server.add_generic_rpc_handlers((handlers,))],
        service_names=[contract],
    )


async def main() -> None:
    """Serve until the process is asked to stop."""
    settings, clock = ServerSettings(), SystemClock()
    name, _, number = settings.instance_id.rpartition("-")
    rng = random.Random(number)
    async with registrar_of(RegistrySettings(), settings, clock=clock, rng=rng) as registrar:
        await serve(
            build(name, settings.instance_id, clock=clock, rng=rng),
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
            log_level="error",
        )


if __name__ == "__main__":
    uvloop.run(main())
