"""A secure suite with one instance of each service, and the edge in front of it, as processes."""

import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from tradepost.order.v1.order_pb2 import Order
from tradepost.order.v1.order_service_pb2 import CreateOrderLine, CreateOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.baskets import Product
from scripts.suite.consul import free_ports
from scripts.suite.edge import SuiteEdge, running_edge
from scripts.suite.items import create_items
from scripts.suite.secure.credentials import Credentials, Tls
from scripts.suite.secure.instructions import CUSTOMER_ID
from scripts.suite.stubs import open_stubs
from tests.support.limits import WAIT_S


@dataclass(frozen=True, slots=True)
class SecureEdge:
    """The suite in its folder, its edge, and the URL of Envoy's admin pages."""

    suite: cluster.Cluster
    folder: Path
    edge: SuiteEdge
    admin: str

    @property
    def url(self) -> str:
        return self.edge.url

    @property
    def credentials(self) -> Credentials:
        assert self.suite.access is not None
        return self.suite.access.credentials

    def channel(self) -> grpc.aio.Channel:
        """A channel of a caller outside."""
        authority = self.credentials.public_files.roots.read_bytes()
        return grpc.aio.secure_channel(
            self.url.removeprefix("https://"), grpc.ssl_channel_credentials(authority)
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """That of a customer's call."""
        return self.suite.caller_metadata(CUSTOMER_ID, "CUSTOMER")

    async def place(
        self, channel: grpc.aio.Channel, *, number: int, timeout_s: float = WAIT_S
    ) -> Order:
        """Place the customer's order of this number.

        The answer comes when it is settled, or shortly before the time is over.
        """
        request = CreateOrderRequest(
            request_id=str(uuid.UUID(int=number, version=4)),
            customer_id=CUSTOMER_ID,
            payment_method="pm_visa",
            lines=[CreateOrderLine(sku="tea", quantity=1)],
        )
        stub = OrderServiceStub(channel)
        call = stub.CreateOrder(request, metadata=self.metadata(), timeout=timeout_s)
        placed: Order = (await call).order
        return placed


@asynccontextmanager
async def secure_edge(folder: Path, tls: Tls) -> AsyncIterator[SecureEdge]:
    """Start all of it, with tea in stock."""
    clock, rng, (admin,) = SystemClock(), random.Random(1), free_ports(1)
    async with (
        cluster.running(folder, instances=1, clock=clock, rng=rng, secure=tls) as suite,
        open_stubs(suite) as stubs,
        running_edge(suite, folder, {"TRADEPOST_EDGE_ADMIN_PORT": str(admin)}) as started,
    ):
        tea = Product(sku="tea", name="Tea", price_minor=250)
        await create_items(stubs.inventory, {"tea": tea}, {"tea": 10}, rng=rng)
        yield SecureEdge(suite, folder, started, f"http://127.0.0.1:{admin}")
