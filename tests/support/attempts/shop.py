"""The order service of a secure suite as its customers call it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import grpc
from tradepost.inventory.v1.inventory_service_pb2 import ItemUpsert, UpsertItemsRequest
from tradepost.order.v1.order_pb2 import Order
from tradepost.order.v1.order_service_pb2 import CreateOrderLine, CreateOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub
from tradepost.type.v1.money_pb2 import Money

from scripts.suite.cluster import Cluster
from scripts.suite.stubs import open_stubs

CUSTOMER = "CUSTOMER"
SKU = "CRUNCHY-ARMCHAIR"
_NAMESPACE = UUID("5b1d1a52-0000-4a0e-9d0f-6b8f0f6f2a11")


def request_id(name: str) -> str:
    """The request_id that a name stands for."""
    return str(uuid5(_NAMESPACE, name))


def create_request(customer: str, name: str) -> CreateOrderRequest:
    """A request for one armchair; `name` chooses its request_id."""
    return CreateOrderRequest(
        request_id=request_id(name),
        customer_id=customer,
        lines=[CreateOrderLine(sku=SKU, quantity=1)],
        payment_method="pm_visa",
    )


@dataclass(frozen=True, slots=True)
class Shop:
    """Calls of customers with their own tokens; `orders` itself calls as an operator."""

    suite: Cluster
    orders: OrderServiceAsyncStub

    async def create(self, customer: str, name: str) -> Order:
        """Place an order for oneself."""
        answer = await self.call(customer, "CreateOrder", create_request(customer, name))
        order: Order = answer.order
        return order

    async def call(self, customer: str, name: str, request: Any) -> Any:
        """The answer to a call of a customer; of a stream, its first message."""
        metadata = self.suite.caller_metadata(customer, CUSTOMER)
        call = getattr(self.orders, name)(request, metadata=metadata)
        return await (call.read() if hasattr(call, "read") else call)

    async def refusal(self, customer: str, name: str, request: Any) -> tuple[grpc.StatusCode, str]:
        """The status and the text with which a call of a customer is refused."""
        try:
            answer = await self.call(customer, name, request)
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        raise AssertionError(f"{name} answered {answer}")


@asynccontextmanager
async def open_shop(suite: Cluster) -> AsyncIterator[Shop]:
    """Put 1,000 armchairs in stock, and open the shop."""
    async with open_stubs(suite) as stubs:
        armchair = ItemUpsert(
            sku=SKU,
            name="Armchair",
            unit_price=Money(currency_code="USD", minor_units=12_900),
            initial_on_hand_count=1_000,
        )
        request = UpsertItemsRequest(request_id=request_id("stock"), items=[armchair])
        await stubs.inventory.UpsertItems(request)
        yield Shop(suite, stubs.orders)
