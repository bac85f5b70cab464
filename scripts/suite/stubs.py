"""A stub for each gRPC service of the suite, on channels opened as an application opens them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tradepost.event.v1.event_service_pb2_grpc import (
    DeadLetterServiceAsyncStub,
    DeadLetterServiceStub,
    EventFeedServiceAsyncStub,
    EventFeedServiceStub,
    SubscriptionServiceAsyncStub,
    SubscriptionServiceStub,
)
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceAsyncStub,
    InventoryServiceStub,
)
from tradepost.notification.v1.notification_service_pb2_grpc import (
    NotificationServiceAsyncStub,
    NotificationServiceStub,
)
from tradepost.order.admin.v1.saga_admin_service_pb2_grpc import (
    SagaAdminServiceAsyncStub,
    SagaAdminServiceStub,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub
from tradepost.payment.testing.v1.simulated_processor_service_pb2_grpc import (
    SimulatedProcessorServiceAsyncStub,
    SimulatedProcessorServiceStub,
)
from tradepost.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceAsyncStub,
    PaymentServiceStub,
)

from scripts.suite.cluster import SERVICES, Cluster


@dataclass(frozen=True, slots=True)
class Stubs:
    """The stubs of the suite; those that several services serve are mappings by service name."""

    orders: OrderServiceAsyncStub
    sagas: SagaAdminServiceAsyncStub
    payments: PaymentServiceAsyncStub
    inventory: InventoryServiceAsyncStub
    processor: SimulatedProcessorServiceAsyncStub
    notifications: NotificationServiceAsyncStub
    order_feed: EventFeedServiceAsyncStub
    payment_feed: EventFeedServiceAsyncStub
    subscriptions: Mapping[str, SubscriptionServiceAsyncStub]
    dead_letters: Mapping[str, DeadLetterServiceAsyncStub]


@asynccontextmanager
async def open_stubs(suite: Cluster) -> AsyncIterator[Stubs]:
    """Open a channel to each service of the suite; close them at the end of the block."""
    async with AsyncExitStack() as stack:
        channels = {
            service: await stack.enter_async_context(suite.open_channel(service))
            for service in SERVICES
        }
        for channel in channels.values():
            # A channel that knows its instances goes on when Consul restarts.
            channel.get_state(try_to_connect=True)
        orders, payments = channels["order"], channels["payment"]
        yield Stubs(
            orders=OrderServiceStub(orders),
            sagas=SagaAdminServiceStub(orders),
            payments=PaymentServiceStub(payments),
            inventory=InventoryServiceStub(channels["inventory"]),
            processor=SimulatedProcessorServiceStub(payments),
            notifications=NotificationServiceStub(channels["notification"]),
            order_feed=EventFeedServiceStub(orders),
            payment_feed=EventFeedServiceStub(payments),
            subscriptions={name: SubscriptionServiceStub(each) for name, each in channels.items()},
            dead_letters={name: DeadLetterServiceStub(each) for name, each in channels.items()},
        )
