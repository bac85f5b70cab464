"""What follows the feeds of orders and payments on behalf of choreographed checkouts."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import grpc

from discovery.clock import Clock
from services.chassis.channels import participant_channel
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.feed_stream import FEED_CONFIG
from services.chassis.consumer.subscription import WAITED_FOR_LEASE_S, Subscription
from services.chassis.ids import IdFactory
from services.chassis.saga.model import CHOREOGRAPHY
from services.chassis.store.database import Database
from services.chassis.work.lease import Leases
from services.inventory.api.reservation_writes import Reservations
from services.inventory.checkout import consumer
from services.inventory.settings import FeedSettings


@dataclass(frozen=True, slots=True)
class Feeds:
    """The channels to the feeds."""

    orders: grpc.aio.Channel
    payments: grpc.aio.Channel


@asynccontextmanager
async def feeds_of(
    targets: FeedSettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Feeds]:
    """Channels to the feeds; closed when the block ends. They are in no trace."""
    channel = partial(participant_channel, clock=clock, rng=rng, service_config=FEED_CONFIG)
    async with (
        channel(targets.order_target) as orders,
        channel(targets.payment_target) as payments,
    ):
        yield Feeds(orders, payments)


def follow(
    feeds: Feeds,
    reservations: Reservations,
    *,
    database: Database,
    clock: Clock,
    ids: IdFactory,
    rng: random.Random,
    owner: str,
) -> ConsumedFeeds:
    """Have the instance that `owner` names follow its feeds."""
    subscribe = partial(
        Subscription,
        database=database,
        leases=Leases.of_a_run(owner, clock=clock, ids=ids, rng=rng, lease_s=WAITED_FOR_LEASE_S),
        clock=clock,
        ids=ids,
        rng=rng,
        topic=CHOREOGRAPHY,
    )
    holding, committing = consumer.Holding(reservations), consumer.Committing(reservations)
    subscriptions = (
        subscribe(feeds.orders, consumer.ORDER_CONSUMER, holding, types=consumer.ORDER_TYPES),
        subscribe(
            feeds.payments, consumer.PAYMENT_CONSUMER, committing, types=consumer.PAYMENT_TYPES
        ),
    )
    return ConsumedFeeds.of(subscriptions, database=database, clock=clock)
