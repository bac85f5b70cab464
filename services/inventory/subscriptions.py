"""Subscriptions to the feeds of orders and payments, for choreographed checkouts."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tradepost.order.v1 import order_service_pb2
from tradepost.payment.v1 import payment_service_pb2

from discovery.clock import Clock
from discovery.tls.certificates import CertificateSource
from services.chassis.channels import participant_channel
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.consumer_lease import WAITED_FOR_LEASE_S
from services.chassis.consumer.subscription import Subscription
from services.chassis.saga.model import CHOREOGRAPHY
from services.inventory.checkout import consumer
from services.inventory.parts import Dependencies, FeedChannels, Parts
from services.inventory.settings import FeedSettings


@asynccontextmanager
async def feed_channels(
    targets: FeedSettings,
    *,
    clock: Clock,
    rng: random.Random,
    certificates: CertificateSource | None = None,
) -> AsyncIterator[FeedChannels]:
    """Channels to the feeds, closed when the block ends. Their calls are not traced."""
    channel = partial(participant_channel, clock=clock, rng=rng, certificates=certificates)
    async with (
        channel(targets.order_target, contract=order_service_pb2.DESCRIPTOR) as orders,
        channel(targets.payment_target, contract=payment_service_pb2.DESCRIPTOR) as payments,
    ):
        yield FeedChannels(orders, payments)


def subscribe_to_feeds(parts: Parts, dependencies: Dependencies) -> ConsumedFeeds:
    """The subscriptions of an instance; none where it has no channels to the feeds."""
    feeds, clock = dependencies.feeds, dependencies.clock
    if feeds is None:
        return ConsumedFeeds()
    leases = parts.leases.lasting(WAITED_FOR_LEASE_S)
    subscribe = partial(
        Subscription,
        database=parts.database,
        leases=leases,
        clock=clock,
        ids=dependencies.ids,
        rng=dependencies.rng,
        topic=CHOREOGRAPHY,
    )
    subscriptions = (
        subscribe(
            feeds.orders,
            consumer.ORDER_CONSUMER,
            consumer.OrderPlacedHandler(parts.reservations),
            types=consumer.ORDER_TYPES,
        ),
        subscribe(
            feeds.payments,
            consumer.PAYMENT_CONSUMER,
            consumer.PaymentAuthorizedHandler(parts.reservations),
            types=consumer.PAYMENT_TYPES,
        ),
    )
    return ConsumedFeeds.of(
        subscriptions,
        database=parts.database,
        clock=clock,
        instance_id=dependencies.owner,
    )
