"""Subscriptions to the feeds of reservations and orders, for choreographed checkouts."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tradepost.inventory.v1 import inventory_service_pb2
from tradepost.order.v1 import order_service_pb2

from discovery.clock import Clock
from discovery.tls.certificates import CertificateSource
from services.chassis.channels import participant_channel
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.consumer_lease import WAITED_FOR_LEASE_S
from services.chassis.consumer.subscription import Subscription
from services.chassis.saga.model import CHOREOGRAPHY
from services.payment.checkout import consumer
from services.payment.parts import Dependencies, FeedChannels, Parts
from services.payment.settings import FeedSettings


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
        channel(
            targets.inventory_target, contract=inventory_service_pb2.DESCRIPTOR
        ) as reservations,
        channel(targets.order_target, contract=order_service_pb2.DESCRIPTOR) as orders,
    ):
        yield FeedChannels(reservations, orders)


def subscribe_to_feeds(parts: Parts, dependencies: Dependencies) -> ConsumedFeeds:
    """The subscriptions of an instance; none where it has no channels to the feeds."""
    feeds, clock, ids = dependencies.feeds, dependencies.clock, dependencies.ids
    if feeds is None:
        return ConsumedFeeds()
    leases = parts.leases.lasting(WAITED_FOR_LEASE_S)
    subscribe = partial(
        Subscription,
        database=parts.database,
        leases=leases,
        clock=clock,
        ids=ids,
        rng=dependencies.rng,
        topic=CHOREOGRAPHY,
    )
    writes = consumer.DrivenWrites(
        store=parts.store,
        is_draining=lambda: parts.driver.draining,
        begin=parts.payments.begin,
    )
    subscriptions = (
        subscribe(
            feeds.reservations,
            consumer.RESERVATION_CONSUMER,
            consumer.ReservationHeldHandler(writes, ids.new),
            types=consumer.RESERVATION_TYPES,
        ),
        subscribe(
            feeds.orders,
            consumer.ORDER_CONSUMER,
            consumer.CaptureRequestedHandler(writes),
            types=consumer.ORDER_TYPES,
        ),
    )
    return ConsumedFeeds.of(
        subscriptions,
        database=parts.database,
        clock=clock,
        instance_id=dependencies.owner,
    )
