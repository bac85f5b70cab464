"""The channels to the services, with the person's token in each call."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from starlette.requests import Request
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from discovery.clock import Clock
from discovery.registry.protocols import Watcher
from discovery.tls.certificates import CertificateSource
from services.chassis.channels import CorrelatedChannel, participant_channel
from services.chassis.contracts import contracts
from services.web.settings import TargetSettings

if TYPE_CHECKING:
    from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from tradepost.notification.v1.notification_service_pb2_grpc import (
        NotificationServiceAsyncStub,
    )
    from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub
    from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

OpenInstance: TypeAlias = Callable[[str, str], CorrelatedChannel]


@dataclass(frozen=True, slots=True)
class Services:
    """A channel to each service by its name, and the stubs that both applications use.

    An application makes further stubs with the channels: `SagaAdminServiceStub(channels["order"])`.
    `open_instance(service, endpoint)` opens a channel to one instance alone, for a `with` block.
    """

    channels: Mapping[str, CorrelatedChannel]
    open_instance: OpenInstance
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
    watcher: Watcher | None = None,
) -> AsyncIterator[Services]:
    """Open the channels; they close when the block ends.

    In the secure mode `certificates` are the application's own. A `watcher` finds the targets in
    place of the one that their schemes name.
    """
    open_channel = partial(participant_channel, clock=clock, rng=rng, certificates=certificates)
    async with AsyncExitStack() as open_channels:
        channels = {
            name: await open_channels.enter_async_context(
                open_channel(getattr(targets, f"{name}_target"), contract=contract, watcher=watcher)
            )
            for name, contract in contracts().items()
        }

        def open_instance(service: str, endpoint: str) -> CorrelatedChannel:
            return open_channel(f"static:///{endpoint}", contract=contracts()[service])

        yield _services_of(channels, open_instance)


def _services_of(
    channels: Mapping[str, CorrelatedChannel], open_instance: OpenInstance
) -> Services:
    """Combine channels by the services' names with their stubs."""
    return Services(
        channels=channels,
        open_instance=open_instance,
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
