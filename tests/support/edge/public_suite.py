"""The four services in this process behind a real Envoy, with one settled order."""

import random
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub
from tradepost.type.v1.money_pb2 import Money

from scripts.suite.idle import notifications_are_sent, wait_until
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import running
from services.chassis.server.settings import ServerSettings
from services.edge.contract.methods import PublicMethod
from services.edge.settings import EdgeSettings
from services.notification.parts import Dependencies
from services.notification.sending.file_sender import FileSender
from services.notification.service import build as build_notification
from tests.support.edge.running_edge import (
    CLOCK,
    RunningEdge,
    instance_at,
    running_edge,
)
from tests.support.limits import WAIT_S
from tests.support.suite.suite_in_process import Suite, running_suite

_NAMESPACE = uuid.UUID(int=1)
_REQUEST_ID = str(uuid.UUID(int=2, version=4))


@dataclass(frozen=True, slots=True)
class PublicSuite:
    """The edge, the services behind it with a channel to the one for mails, a settled order."""

    edge: RunningEdge
    suite: Suite
    notification: grpc.aio.Channel
    order: order_pb2.Order

    async def until_notified(self) -> None:
        """Return once every order has its mails: a read repeated from then on answers the same."""
        stub, feed = NotificationServiceStub(self.notification), self.suite.channels["order"]
        sent = partial(notifications_are_sent, stub, EventFeedServiceStub(feed))
        give_up_s = CLOCK.monotonic() + WAIT_S
        assert await wait_until(sent, clock=CLOCK, give_up_s=give_up_s)

    def good(self, method: PublicMethod) -> Message:
        """A request that names what exists; each method has a request_id of its own."""
        known: Mapping[str, Any] = {
            "request_id": str(uuid.uuid5(_NAMESPACE, method.path)),
            "customer_id": "ann",
            "lines": [{"sku": "tea", "quantity": 1}],
            "payment_method": "pm_visa",
            "order_id": self.order.order_id,
            "order_ids": [self.order.order_id],
            "reservation_id": self.order.reservation_id,
            "payment_id": self.order.payment_id,
            "sku": "tea",
            "skus": ["tea", "milk"],
            "delta": 5,
            "reason": "counted & found, 100 % sure",
            "items": [{"sku": "milk", "name": "Milch für alle", "unit_price": _PRICE_JSON}],
        }
        return _request(method, known)

    def bad(self, method: PublicMethod) -> Message:
        """A request that the service refuses."""
        names = dict.fromkeys(method.variables, "nope")
        return _request(method, {**names, "page_token": "nope"})


_PRICE_JSON = {"currency_code": "USD", "minor_units": 120}


@asynccontextmanager
async def public_suite(
    folder: Path, *, settings: EdgeSettings | None = None
) -> AsyncIterator[PublicSuite]:
    """Start all of it, and place an order."""
    async with running_suite(folder) as suite, _notification(folder, suite) as endpoint:
        endpoints = {name: server.endpoint for name, server in suite.servers.items()}
        instances = [
            instance_at(name, where)
            for name, where in {**endpoints, "notification": endpoint}.items()
        ]
        async with (
            running_edge(folder, instances, settings=settings) as edge,
            grpc.aio.insecure_channel(endpoint) as channel,
        ):
            yield PublicSuite(edge, suite, channel, await _order(suite))


@asynccontextmanager
async def _notification(folder: Path, suite: Suite) -> AsyncIterator[str]:
    rng = random.Random(8)
    ids = IdFactory(clock=CLOCK, rng=rng)
    dependencies = Dependencies(
        clock=CLOCK,
        ids=ids,
        rng=rng,
        orders=suite.channels["order"],
        sender=FileSender(folder),
        sender_address="orders@tradepost.localhost",
        customer_domain="customers.localhost",
        owner="first",
    )
    settings = ServerSettings(drain_s=0, stop_grace_s=1)
    url = f"sqlite:///{folder / 'notification'}.db"
    async with (
        build_notification(database_url=url, dependencies=dependencies) as service,
        running(service, settings=settings, clock=CLOCK, ids=ids, rng=rng) as server,
    ):
        yield server.endpoint


async def _order(suite: Suite) -> order_pb2.Order:
    inventory = InventoryServiceStub(suite.channels["inventory"])
    price = Money(currency_code="USD", minor_units=250)
    item = inventory_rpc.ItemUpsert(
        sku="tea", name="Tea", unit_price=price, initial_on_hand_count=1_000
    )
    await inventory.UpsertItems(
        inventory_rpc.UpsertItemsRequest(request_id=_REQUEST_ID, items=[item])
    )
    placed = await OrderServiceStub(suite.channels["order"]).CreateOrder(
        rpc.CreateOrderRequest(
            request_id=_REQUEST_ID,
            customer_id="ann",
            payment_method="pm_visa",
            lines=[rpc.CreateOrderLine(sku="tea", quantity=2)],
        )
    )
    return placed.order


def _request(method: PublicMethod, known: Mapping[str, Any]) -> Message:
    message = message_factory.GetMessageClass(method.request)()
    fields = {
        field.name: known[field.name] for field in method.request.fields if field.name in known
    }
    return json_format.ParseDict(fields, message)
