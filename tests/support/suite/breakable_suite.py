"""A suite that tests may break: real processes and a real Consul agent.

Its leases are short, so that work of a killed instance is soon taken over.
"""

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tradepost.order.v1.order_pb2 import Coordination, Order
from tradepost.order.v1.order_service_pb2 import (
    CreateOrderRequest,
    GetOrderRequest,
    ListOrdersRequest,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

from discovery.clock import SystemClock
from scripts.replay.books import every_check
from scripts.replay.books.equation import Equation
from scripts.replay.books.snapshot import take_snapshot
from scripts.replay.faults.fault_plan import Disruption, Fault, plan_faults
from scripts.replay.observations import Observations
from scripts.replay.order_placer import SETTLED, create_request
from scripts.replay.order_plan import CustomerAction, PlannedOrder, plan_orders, stock_for
from scripts.replay.replay_report import ReplayReport
from scripts.replay.replay_run import replay_orders
from scripts.suite.baskets import Basket, Product, Shop
from scripts.suite.cluster import SERVICES as SERVICE_NAMES
from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge
from scripts.suite.idle import wait_until_idle
from scripts.suite.items import create_items
from scripts.suite.processes.slot import ProcessSlot
from services.console.reading.stubs import Stubs
from tests.support.limits import WAIT_S
from tests.support.store.databases import SQLITE

INSTANCES = 2
SERVICES = len(SERVICE_NAMES)
CLOCK = SystemClock()
POLL_S = 0.1
SETTINGS = {
    "TRADEPOST_SAGA_LEASE_S": "4",
    "TRADEPOST_SAGA_STEP_TIMEOUT_S": "1.9",
    "TRADEPOST_PAYMENT_LEASE_S": "4",
    "TRADEPOST_PAYMENT_CALL_TIMEOUT_S": "1.9",
}


@dataclass(frozen=True)
class BreakableSuite:
    """A running suite, stubs to call it, and the kind of its databases."""

    cluster: Cluster
    stubs: Stubs
    kind: str = SQLITE

    async def replay(
        self,
        seed: int,
        *faults: Fault,
        orders: int = 60,
        edge: SuiteEdge | None = None,
        coordination: Coordination = Coordination.COORDINATION_UNSPECIFIED,
        disruptions: Sequence[Disruption] = (),
    ) -> ReplayReport:
        """Replay orders while these faults happen; with an edge, every fourth is placed there.

        `disruptions` come after those that the faults lead to.
        """
        planned_orders = [
            replace(planned, coordination=coordination) for planned in await self.plan(seed, orders)
        ]
        names = {service: [slot.name for slot in self.slots(service)] for service in SERVICE_NAMES}
        rng = random.Random(seed)
        return await replay_orders(
            self.cluster,
            self.stubs,
            planned_orders,
            concurrency=16,
            clock=CLOCK,
            rng=rng,
            disruptions=(*plan_faults(frozenset(faults), names, rng), *disruptions),
            edge=edge,
        )

    async def plan(self, seed: int, number: int) -> tuple[PlannedOrder, ...]:
        """Plan orders whose customers and items are of this seed alone; create the items."""
        rng = random.Random(seed)
        shop = a_shop(number, rng)
        await create_items(self.stubs.inventory, shop.products, stock_for(shop.baskets), rng=rng)
        return plan_orders(shop, seed)

    async def a_request(self, seed: int, *, payment_method: str = "pm_visa") -> CreateOrderRequest:
        """A request that will be confirmed; the stock is enough for more than two of it."""
        (planned,) = await self.plan(seed, 1)
        planned = replace(planned, action=CustomerAction.KEEP, payment_method=payment_method)
        return create_request(planned)

    def slots(self, service: str) -> list[ProcessSlot]:
        """The slots of a service."""
        return [slot for slot in self.cluster.slots if slot.service == service]

    def slot_of(self, owner: str) -> ProcessSlot:
        """The slot in which the owner of a lease runs."""
        return next(one for one in self.cluster.slots if one.name == owner.partition("/")[0])

    def database_url(self, service: str) -> str:
        """The URL of the database that the instances of a service share."""
        return self.slots(service)[0].environment["DATABASE_URL"]

    async def kill_all(self) -> None:
        """Kill all instances of all services at once; return when all are back."""
        before = [one for service in SERVICE_NAMES for one in await self.cluster.instances(service)]
        await asyncio.gather(*(slot.stop(signal.SIGKILL) for slot in self.cluster.slots))
        for slot in self.cluster.slots:
            await slot.start()
        await self.cluster.wait_registered(replaced=before)

    async def buy(self, request: CreateOrderRequest) -> Order:
        """Place an order and wait until it is settled."""
        created = await self.stubs.orders.CreateOrder(request, timeout=WAIT_S)
        return await settled(self.stubs.orders, created.order.order_id)

    async def placed(self, customer_id: str) -> str:
        """Wait until a customer's only order exists; return its id."""
        request = ListOrdersRequest(customer_id=customer_id)
        async with asyncio.timeout(WAIT_S):
            while not (found := (await self.stubs.orders.ListOrders(request)).orders):
                await CLOCK.sleep(POLL_S)
        return found[0].order_id

    async def wrong_books(self) -> list[Equation]:
        """Wait until the suite is idle; return the equations that don't hold."""
        assert await wait_until_idle(self.stubs, clock=CLOCK, timeout_s=WAIT_S)
        counted = await take_snapshot(self.stubs, self.cluster.mail, self.cluster.archive)
        return [line for line in every_check.check(counted, Observations()) if not line.ok]


def a_shop(orders: int, rng: random.Random) -> Shop:
    """A shop with thirty items and small baskets, with names of this seed alone."""
    prefix = f"{rng.getrandbits(32):08x}"
    products = {
        sku: Product(sku=sku, name=sku, price_minor=rng.randint(50, 2_000))
        for sku in (f"{prefix}-{number}" for number in range(30))
    }
    baskets = tuple(
        Basket(
            basket_id=f"{prefix}-{number}",
            household_id=f"{prefix}-{rng.randrange(40)}",
            lines=tuple((sku, rng.randint(1, 5)) for sku in rng.sample(list(products), 3)),
        )
        for number in range(orders)
    )
    sold = {sku for basket in baskets for sku, _ in basket.lines}
    return Shop(
        baskets=baskets,
        products={sku: product for sku, product in products.items() if sku in sold},
        dropped={},
    )


async def settled(orders: OrderServiceAsyncStub, order_id: str) -> Order:
    """Poll until an order is settled; return it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            order = (await orders.GetOrder(GetOrderRequest(order_id=order_id))).order
            if order.state in SETTLED:
                return order
            await CLOCK.sleep(POLL_S)
