"""A stub for each gRPC service of the suite, over one channel to each service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import grpc
from tradepost.event.v1.event_service_pb2_grpc import (
    AuditServiceAsyncStub,
    AuditServiceStub,
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

from services.chassis.contracts import contracts

SERVICES = tuple(contracts())


@dataclass(frozen=True, slots=True)
class Stubs:
    """The stubs; those that every service serves are mappings by service name."""

    orders: OrderServiceAsyncStub
    sagas: SagaAdminServiceAsyncStub
    payments: PaymentServiceAsyncStub
    inventory: InventoryServiceAsyncStub
    notifications: NotificationServiceAsyncStub
    processor: SimulatedProcessorServiceAsyncStub
    feeds: Mapping[str, EventFeedServiceAsyncStub]
    subscriptions: Mapping[str, SubscriptionServiceAsyncStub]
    dead_letters: Mapping[str, DeadLetterServiceAsyncStub]
    audits: Mapping[str, AuditServiceAsyncStub]

    @classmethod
    def over(cls, channels: Mapping[str, grpc.aio.Channel]) -> Self:
        """Make the stubs; `channels` has one for each of SERVICES."""
        return cls(
            orders=OrderServiceStub(channels["order"]),
            sagas=SagaAdminServiceStub(channels["order"]),
            payments=PaymentServiceStub(channels["payment"]),
            inventory=InventoryServiceStub(channels["inventory"]),
            notifications=NotificationServiceStub(channels["notification"]),
            processor=SimulatedProcessorServiceStub(channels["payment"]),
            feeds={name: EventFeedServiceStub(channels[name]) for name in SERVICES},
            subscriptions={name: SubscriptionServiceStub(channels[name]) for name in SERVICES},
            dead_letters={name: DeadLetterServiceStub(channels[name]) for name in SERVICES},
            audits={name: AuditServiceStub(channels[name]) for name in SERVICES},
        )
