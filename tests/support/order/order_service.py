"""The order service over real gRPC: instances on one database, with participants in memory."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import grpc
from tradepost.order.admin.v1.saga_admin_service_pb2_grpc import (
    SagaAdminServiceAsyncStub,
    SagaAdminServiceStub,
)
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

import discovery
from discovery.clock import Clock, SystemClock
from discovery.registry.memory import MemoryRegistry
from services.chassis.ids import IdFactory
from services.chassis.retention.settings import Retention
from services.chassis.server.instrumentation import Recorders
from services.chassis.server.lifecycle import running
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings
from services.order.checkout.participants import ParticipantChannels
from services.order.parts import Dependencies, FeedChannels
from services.order.service import build
from services.order.settings import SagaSettings
from tests.support.order.fake_participants import FakeInventory
from tests.support.order.fake_payment import FakePayment
from tests.support.order.local_channel import local_channel
from tests.support.order.scripted_failures import FailureScript, PendingAnswer

# Numbers for the ids of requests and orders; each is used once.
_NUMBERS = count(1)


class OrderService:
    """The database, the participants and the registry that the instances share."""

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self.url = url
        self.clock = clock or SystemClock()
        self.rng = random.Random(11)
        self.ids = IdFactory(clock=SystemClock(), rng=self.rng)
        self.script = FailureScript()
        self.inventory = FakeInventory(clock=self.clock, script=self.script)
        self.inventory.stock = Counter({"milk": 1_000_000, "tea": 1_000_000, "gold": 1})
        self.payment = FakePayment(clock=self.clock, script=self.script)
        # The registry of the instances, and the feeds that they follow; without feeds no summary.
        self.registry = MemoryRegistry()
        self.feeds: FeedChannels | None = None
        # What a traced or measured instance records with.
        self.recorders: Recorders | None = None
        # What its instances archive and remove; None: nothing.
        self.retention: Retention | None = None

    @asynccontextmanager
    async def service(self, owner: str = "first") -> AsyncIterator[Service]:
        """Build an instance without a server."""
        dependencies = Dependencies(
            clock=self.clock,
            ids=self.ids,
            rng=self.rng,
            participants=ParticipantChannels(
                local_channel(self.inventory), local_channel(self.payment)
            ),
            settings=SagaSettings(),
            feeds=self.feeds,
            owner=owner,
            poll_s=0.02,
            recorders=self.recorders,
            retention=self.retention,
        )
        async with build(database_url=self.url, dependencies=dependencies) as service:
            yield service

    @asynccontextmanager
    async def served(
        self, owner: str, *, max_concurrent: int = 256
    ) -> AsyncIterator[tuple[Service, str]]:
        """Serve an instance; yields it with its endpoint, and drains it when the block ends."""
        system = SystemClock()
        async with (
            self.service(owner) as service,
            running(
                service,
                settings=ServerSettings(
                    port=0,
                    drain_s=0,
                    stop_grace_s=2,
                    max_concurrent=max_concurrent,
                    instance_id=f"order-{owner}",
                ),
                clock=system,
                ids=self.ids,
                rng=self.rng,
                registrar=self.registry,
                recorders=self.recorders,
            ) as server,
        ):
            yield service, server.endpoint

    @asynccontextmanager
    async def instance(
        self, owner: str = "first", *, max_concurrent: int = 256
    ) -> AsyncIterator["Instance"]:
        """Serve an instance, and connect stubs to it."""
        async with (
            self.served(owner, max_concurrent=max_concurrent) as (service, endpoint),
            grpc.aio.insecure_channel(endpoint) as channel,
        ):
            yield Instance(
                channel, OrderServiceStub(channel), SagaAdminServiceStub(channel), service
            )

    async def hang(
        self, stub: OrderServiceAsyncStub, method: str, request: rpc.CreateOrderRequest
    ) -> order_pb2.Order:
        """Place an order with a step whose outcome stays unknown.

        Returns when the step is being tried for the second time; `release` lets it answer.
        """
        self.script.always[method] = PendingAnswer.PENDING
        tried_again = asyncio.Event()

        async def again() -> None:
            tried_again.set()

        async def first() -> None:
            self.script.during[method] = again

        self.script.during[method] = first
        call = asyncio.ensure_future(stub.CreateOrder(request))
        await tried_again.wait()
        call.cancel()
        wanted = rpc.ListOrdersRequest(customer_id=request.customer_id, page_size=1)
        return (await stub.ListOrders(wanted)).orders[0]

    def release(self) -> None:
        """Let every step answer from now on."""
        self.script.always.clear()


@dataclass
class Instance:
    """One instance, with a channel and stubs to it."""

    channel: grpc.aio.Channel
    orders: OrderServiceAsyncStub
    admin: SagaAdminServiceAsyncStub
    service: Service


def feed_of(service: str, registry: MemoryRegistry) -> discovery.Channel:
    """Open a channel to the registered instances of a service."""
    return discovery.open_channel(
        f"memory:///{service}",
        watcher=registry,
        clock=SystemClock(),
        rng=random.Random(7),
    )


def new_request_id() -> str:
    """Make a UUID that was not used before."""
    return str(uuid.UUID(int=next(_NUMBERS)))


def no_order_id() -> str:
    """Make the id of an order that does not exist."""
    return f"ord_{uuid.UUID(int=next(_NUMBERS)).hex}"


def order_of(
    customer: str = "ann",
    *,
    method: str = "pm_visa",
    sku: str = "milk",
    quantity: int = 2,
    coordination: order_pb2.Coordination = order_pb2.COORDINATION_UNSPECIFIED,
) -> rpc.CreateOrderRequest:
    """Make a valid CreateOrderRequest with its own request_id."""
    return rpc.CreateOrderRequest(
        request_id=new_request_id(),
        customer_id=customer,
        payment_method=method,
        lines=[rpc.CreateOrderLine(sku=sku, quantity=quantity)],
        coordination=coordination,
    )


async def create(
    stub: OrderServiceAsyncStub, customer: str = "ann", **of: str | int
) -> order_pb2.Order:
    """Place an order and wait for its outcome."""
    return (await stub.CreateOrder(order_of(customer, **of))).order  # type: ignore[arg-type]


def cancel_of(order_id: str) -> rpc.CancelOrderRequest:
    """Make a valid CancelOrderRequest with its own request_id."""
    return rpc.CancelOrderRequest(
        request_id=new_request_id(), order_id=order_id, reason="changed my mind"
    )


def return_of(order_id: str, **units: int) -> rpc.ReturnOrderRequest:
    """Make a request to return units of an order, or everything that is left of it."""
    return rpc.ReturnOrderRequest(
        request_id=new_request_id(),
        order_id=order_id,
        lines=[rpc.ReturnOrderLine(sku=sku, quantity=count) for sku, count in units.items()],
        return_all=not units,
        reason="broken",
    )


def fulfill_of(order_id: str) -> rpc.FulfillOrderRequest:
    """Make a valid FulfillOrderRequest with its own request_id."""
    return rpc.FulfillOrderRequest(request_id=new_request_id(), order_id=order_id)
