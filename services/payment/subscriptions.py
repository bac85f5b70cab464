"""What follows the feeds of reservations and orders on behalf of choreographed checkouts."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import grpc

from discovery.clock import Clock
from services.chassis.channels import participant_channel
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.consumer_lease import WAITED_FOR_LEASE_S
from services.chassis.consumer.feed_stream import FEED_CONFIG
from services.chassis.consumer.subscription import Subscription
from services.chassis.ids import IdFactory
from services.chassis.saga.model import CHOREOGRAPHY
from services.chassis.work.lease import Leases
from services.payment.checkout import consumer
from services.payment.parts import Parts
from services.payment.settings import FeedSettings


@dataclass(frozen=True, slots=True)
class FeedChannels:
    """The channels to the feeds."""

    reservations: grpc.aio.Channel
    orders: grpc.aio.Channel


@asynccontextmanager
async def feeds_of(
    targets: FeedSettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[FeedChannels]:
    """Channels to the feeds; closed when the block ends. They are in no trace."""
    channel = partial(participant_channel, clock=clock, rng=rng, service_config=FEED_CONFIG)
    async with (
        channel(targets.inventory_target) as reservations,
        channel(targets.order_target) as orders,
    ):
        yield FeedChannels(reservations, orders)


def follow(
    feeds: FeedChannels,
    parts: Parts,
    *,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    owner: str,
) -> ConsumedFeeds:
    """Have the instance that `owner` names follow its feeds."""
    subscribe = partial(
        Subscription,
        database=parts.database,
        leases=Leases.of_a_run(owner, clock=clock, ids=ids, rng=rng, lease_s=WAITED_FOR_LEASE_S),
        clock=clock,
        ids=ids,
        rng=rng,
        topic=CHOREOGRAPHY,
    )
    work = consumer.DrivenWrites(
        store=parts.store,
        is_draining=lambda: parts.driver.draining,
        begin=parts.payments.begin,
    )
    subscriptions = (
        subscribe(
            feeds.reservations,
            consumer.RESERVATION_CONSUMER,
            consumer.PaymentAuthorizer(work, ids.new),
            types=consumer.RESERVATION_TYPES,
        ),
        subscribe(
            feeds.orders,
            consumer.ORDER_CONSUMER,
            consumer.PaymentCapturer(work),
            types=consumer.ORDER_TYPES,
        ),
    )
    return ConsumedFeeds.of(subscriptions, database=parts.database, clock=clock)
