"""The channels to the services, with the person's token in each call."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.descriptor import FileDescriptor
from starlette.requests import Request
from tradepost.inventory.v1 import inventory_service_pb2
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.notification.v1 import notification_service_pb2
from tradepost.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tradepost.order.v1 import order_service_pb2
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub
from tradepost.payment.v1 import payment_service_pb2
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from discovery.clock import Clock
from discovery.tls.certificates import CertificateSource
from services.chassis.channels import CorrelatedChannel, participant_channel
from services.web.settings import TargetSettings

if TYPE_CHECKING:
    from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from tradepost.notification.v1.notification_service_pb2_grpc import (
        NotificationServiceAsyncStub,
    )
    from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub
    from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Services:
    """A channel to each service by its name, and the stubs that both applications use.

    An application makes further stubs with the channels: `SagaAdminServiceStub(channels["order"])`.
    """

    channels: Mapping[str, CorrelatedChannel]
    order_service: "OrderServiceAsyncStub"
    payment_service: "PaymentServiceAsyncStub"
    inventory_service: "InventoryServiceAsyncStub"
    notification_service: "NotificationServiceAsyncStub"


@asynccontextmanager
async def open_services(
    targets: TargetSettings,
    *,
    clock: Clock,
    rng: random.Random,
    certificates: CertificateSource | None = None,
) -> AsyncIterator[Services]:
    """Open the channels; they close when the block ends.

    In the secure mode `certificates` are the application's own.
    """
    contracts: Mapping[str, tuple[str, FileDescriptor]] = {
        "order": (targets.order_target, order_service_pb2.DESCRIPTOR),
        "payment": (targets.payment_target, payment_service_pb2.DESCRIPTOR),
        "inventory": (targets.inventory_target, inventory_service_pb2.DESCRIPTOR),
        "notification": (targets.notification_target, notification_service_pb2.DESCRIPTOR),
    }
    async with AsyncExitStack() as open_channels:
        channels = {
            name: await open_channels.enter_async_context(
                participant_channel(
                    target, contract=contract, clock=clock, rng=rng, certificates=certificates
                )
            )
            for name, (target, contract) in contracts.items()
        }
        yield services_of(channels)


def services_of(channels: Mapping[str, CorrelatedChannel]) -> Services:
    """Combine channels by the services' names with their stubs."""
    return Services(
        channels=channels,
        order_service=OrderServiceStub(channels["order"]),
        payment_service=PaymentServiceStub(channels["payment"]),
        inventory_service=InventoryServiceStub(channels["inventory"]),
        notification_service=NotificationServiceStub(channels["notification"]),
    )


def services(request: Request) -> Services:
    """Return the application's channels and stubs."""
    found: Services = request.app.state.services
    return found


def metadata(request: Request) -> tuple[tuple[str, str], ...]:
    """Return what makes a call one of the person: their token. Pass it to every call."""
    token: str = request.state.token
    return (("authorization", f"Bearer {token}"),) if token else ()
