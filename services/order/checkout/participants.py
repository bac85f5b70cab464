"""The services that the checkout calls: the channels to them, and the call that takes each step."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import grpc
from tradepost.inventory.v1 import inventory_service_pb2
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.payment.v1 import payment_service_pb2
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from discovery.clock import Clock
from discovery.tls.certificates import CertificateSource
from services.chassis.channels import participant_channel
from services.chassis.saga.model import Contradiction, Done, Pending, StepCall
from services.chassis.server.instrumentation import Recorders
from services.order.checkout.inventory_calls import InventoryCalls
from services.order.checkout.payment_calls import PaymentCalls
from services.order.domain import steps
from services.order.domain.commands import Command
from services.order.domain.state import Order
from services.order.settings import ParticipantSettings

StepAction: TypeAlias = Callable[
    [Order, StepCall], Awaitable[Command | Done | Pending | Contradiction]
]


@dataclass(frozen=True, slots=True)
class ParticipantChannels:
    """The channels to the services that the checkout calls."""

    inventory: grpc.aio.Channel
    payment: grpc.aio.Channel


@asynccontextmanager
async def participant_channels(
    targets: ParticipantSettings,
    *,
    clock: Clock,
    rng: random.Random,
    certificates: CertificateSource | None = None,
    recorders: Recorders | None,
) -> AsyncIterator[ParticipantChannels]:
    """Open the channels, and close them when the block ends.

    Raises InvalidTargetError for a target that discovery does not understand.
    """
    channel = partial(
        participant_channel, clock=clock, rng=rng, certificates=certificates, recorders=recorders
    )
    async with (
        channel(targets.inventory_target, contract=inventory_service_pb2.DESCRIPTOR) as inventory,
        channel(targets.payment_target, contract=payment_service_pb2.DESCRIPTOR) as payment,
    ):
        yield ParticipantChannels(inventory, payment)


class Participants:
    """The clients of the services that the checkout calls."""

    def __init__(self, channels: ParticipantChannels) -> None:
        self.inventory = InventoryCalls(InventoryServiceStub(channels.inventory))
        self.payment = PaymentCalls(PaymentServiceStub(channels.payment))

    @property
    def actions(self) -> Mapping[str, StepAction]:
        """The call of each step and of each compensation, by name."""
        return {
            steps.RESERVE: self.inventory.reserve,
            steps.COMMIT: self.inventory.commit,
            steps.RELEASE: self.inventory.release,
            steps.FULFILL: self.inventory.fulfill,
            steps.AUTHORIZE: self.payment.authorize,
            steps.CAPTURE: self.payment.capture,
            steps.VOID: self.payment.void,
            steps.REFUND: self.payment.refund,
            steps.RESTOCK: self.inventory.restock,
            steps.REFUND_RETURN: self.payment.refund_return,
        }
