"""What the readers of a replay notice: each guarantee is violated by a lying service."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc
import pytest
from tradepost.event.v1.event_pb2 import Event
from tradepost.inventory.v1 import inventory_service_pb2 as inventory
from tradepost.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tradepost.inventory.v1.item_pb2 import StockLevel
from tradepost.order.v1 import order_service_pb2 as orders
from tradepost.order.v1 import order_service_pb2_grpc as orders_grpc
from tradepost.order.v1.order_pb2 import Order
from tradepost.payment.v1 import payment_pb2 as pay
from tradepost.payment.v1 import payment_service_pb2 as payments
from tradepost.payment.v1 import payment_service_pb2_grpc as payments_grpc
from tradepost.type.v1.money_pb2 import Money

from scripts.replay.auditor import Auditor
from scripts.replay.observations import Observations
from scripts.replay.order_watcher import OrderWatcher
from services.console.reading.stubs import SERVICES, Stubs
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S

ORDER_ID = "ord_1"


@dataclass
class Liar(
    orders_grpc.OrderServiceServicer,
    inventory_grpc.InventoryServiceServicer,
    payments_grpc.PaymentServiceServicer,
):
    """Answers for one order and one item with the values of its fields."""

    versions: list[int] = field(default_factory=lambda: [3])
    trail: tuple[int, ...] = (1, 2, 3)
    level: StockLevel = field(
        default_factory=lambda: StockLevel(sku="tea", on_hand_count=5, available_count=5)
    )
    payment: pay.Payment = field(default_factory=pay.Payment)
    unknown: tuple[str, ...] = ()
    fails: grpc.StatusCode | None = None

    def next_version(self) -> int:
        """The versions in order; the last one is repeated."""
        return self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]

    async def GetOrder(
        self, request: orders.GetOrderRequest, context: grpc.aio.ServicerContext
    ) -> orders.GetOrderResponse:
        if self.fails is not None:
            await context.abort(self.fails, "as configured")
        return orders.GetOrderResponse(version=self.next_version())

    async def BatchGetOrders(
        self, request: orders.BatchGetOrdersRequest, context: grpc.aio.ServicerContext
    ) -> orders.BatchGetOrdersResponse:
        return orders.BatchGetOrdersResponse(unknown_order_ids=self.unknown)

    async def ListOrders(
        self, request: orders.ListOrdersRequest, context: grpc.aio.ServicerContext
    ) -> orders.ListOrdersResponse:
        return orders.ListOrdersResponse(orders=[Order(order_id=ORDER_ID, version=3)])

    async def ListOrderEvents(
        self, request: orders.ListOrderEventsRequest, context: grpc.aio.ServicerContext
    ) -> orders.ListOrderEventsResponse:
        events = [Event(aggregate_version=version) for version in self.trail]
        return orders.ListOrderEventsResponse(events=events)

    async def WatchOrder(
        self, request: orders.WatchOrderRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[orders.WatchOrderResponse]:
        for version in self.trail:
            if version > request.after_version:
                yield orders.WatchOrderResponse(version=version)
                if self.fails is not None:
                    await context.abort(self.fails, "as configured")

    async def GetStock(
        self, request: inventory.GetStockRequest, context: grpc.aio.ServicerContext
    ) -> inventory.GetStockResponse:
        return inventory.GetStockResponse(stock=self.level)

    async def BatchGetStock(
        self, request: inventory.BatchGetStockRequest, context: grpc.aio.ServicerContext
    ) -> inventory.BatchGetStockResponse:
        return inventory.BatchGetStockResponse(stock=[self.level])

    async def ListPayments(
        self, request: payments.ListPaymentsRequest, context: grpc.aio.ServicerContext
    ) -> payments.ListPaymentsResponse:
        return payments.ListPaymentsResponse(payments=[self.payment])


async def observe(liar: Liar, enough: Callable[[Observations], bool]) -> Observations:
    """The observations of the readers, as soon as they are enough."""
    server = grpc.aio.server()
    orders_grpc.add_OrderServiceServicer_to_server(liar, server)
    inventory_grpc.add_InventoryServiceServicer_to_server(liar, server)
    payments_grpc.add_PaymentServiceServicer_to_server(liar, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    observations, clock = Observations(), ManualClock()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stubs = Stubs.over(dict.fromkeys(SERVICES, channel))
        auditor = Auditor(
            stubs, skus=["tea"], observations=observations, clock=clock, rng=random.Random(1)
        )
        watcher = OrderWatcher(
            stubs.orders, observations=observations, clock=clock, rng=random.Random(2)
        )
        running = [asyncio.create_task(reader.run()) for reader in (auditor, watcher)]
        async with asyncio.timeout(WAIT_S):
            while not enough(observations):
                await clock.advance(1.0)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    await server.stop(None)
    return observations


async def test_honest_answers_break_no_promise() -> None:
    """Correct answers of all methods violate nothing."""
    found = await observe(Liar(), lambda found: found.reads.total() > 100)
    assert (found.violations, found.failed_calls) == ([], {})
    assert len(found.reads) == 8


def captured(*states: pay.CaptureState, refunded: int = 0) -> pay.Payment:
    return pay.Payment(
        payment_id="pay_1",
        captured_amount=Money(currency_code="USD", minor_units=100),
        refunded_amount=Money(currency_code="USD", minor_units=refunded),
        captures=[pay.Capture(state=state) for state in states],
    )


@pytest.mark.parametrize(
    ("liar", "noticed"),
    [
        (Liar(versions=[5, 4]), "went back from version 5 to"),
        (Liar(trail=(1, 3)), "after 1"),
        (Liar(trail=(2, 3)), "has the versions [2, 3]"),
        (Liar(unknown=(ORDER_ID,)), "unknown"),
        (Liar(level=StockLevel(sku="tea", held_count=1, available_count=-1)), "oversold"),
        (Liar(level=StockLevel(sku="tea", on_hand_count=2, available_count=1)), "oversold"),
        (Liar(payment=captured(refunded=101)), "more refunded"),
        (Liar(payment=captured(*[pay.CaptureState.CAPTURE_STATE_CAPTURED] * 2)), "2 times"),
    ],
)
async def test_what_cannot_be_is_noticed(liar: Liar, noticed: str) -> None:
    """Older versions, gaps, lost orders, oversold stock and wrong amounts are noticed."""
    await observe(liar, lambda found: any(noticed in each for each in found.violations))


async def test_a_failed_read_is_counted() -> None:
    """A failed read is counted, because reads are safe to repeat and should not fail."""
    found = await observe(
        Liar(fails=grpc.StatusCode.INTERNAL),
        lambda found: len(found.failed_calls) == 2,
    )
    assert found.violations == []
    assert set(found.failed_calls) == {"GetOrder INTERNAL", "WatchOrder INTERNAL"}


async def test_a_stream_that_was_cut_is_resumed_where_it_ended() -> None:
    """A watch that was cut is resumed after its last version."""
    liar = Liar(fails=grpc.StatusCode.UNAVAILABLE)
    found = await observe(liar, lambda found: found.resumed_watches >= 3)
    assert found.violations == []
    assert "WatchOrder UNAVAILABLE" not in found.failed_calls
