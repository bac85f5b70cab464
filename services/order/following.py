"""What follows the feeds on behalf of the customer summary, and what reads the outcome."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from discovery.clock import Clock
from services.chassis.channels import participant_channel
from services.chassis.consumers import Consumers
from services.chassis.dead_letters import DeadLetters
from services.chassis.feed_stream import FEED_CONFIG
from services.chassis.subscription import Subscription
from services.order.consumer import (
    GATHER,
    MAX_BATCH,
    ORDER_CONSUMER,
    ORDER_TYPES,
    PAYMENT_CONSUMER,
    PAYMENT_TYPES,
    OrderFacts,
    PaymentFacts,
)
from services.order.parts import Feeds, Means, Parts
from services.order.settings import ParticipantSettings
from services.order.summaries import Summaries


@dataclass(frozen=True, slots=True)
class Following:
    """The customer summary of an instance; its subscriptions want to be run."""

    subscriptions: tuple[Subscription, ...]
    summaries: Summaries
    consumers: Consumers
    dead_letters: DeadLetters


@asynccontextmanager
async def feeds_of(
    targets: ParticipantSettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Feeds]:
    """Channels to the feeds; closed when the block ends.

    They are in no trace: a subscription lasts as long as its process, and is nobody's call.
    """
    channel = partial(participant_channel, clock=clock, rng=rng, service_config=FEED_CONFIG)
    async with (
        channel(targets.order_target) as orders,
        channel(targets.payment_target) as payments,
    ):
        yield Feeds(orders, payments)


def follow(parts: Parts, means: Means) -> Following | None:
    """Have an instance follow its feeds; None where it has none."""
    if means.feeds is None:
        return None
    subscribe = partial(
        Subscription,
        database=parts.database,
        leases=parts.leases,
        clock=means.clock,
        ids=means.ids,
        rng=means.rng,
        max_batch=MAX_BATCH,
        gather=GATHER,
    )
    orders = subscribe(means.feeds.orders, ORDER_CONSUMER, OrderFacts(), types=ORDER_TYPES)
    payments = subscribe(
        means.feeds.payments, PAYMENT_CONSUMER, PaymentFacts(), types=PAYMENT_TYPES
    )
    subscriptions = (orders, payments)
    inboxes = (orders.inbox, payments.inbox)
    return Following(
        subscriptions=subscriptions,
        summaries=Summaries(
            database=parts.database,
            orders=orders.inbox,
            payments=payments.inbox,
            tailer=parts.tailer,
            clock=means.clock,
        ),
        consumers=Consumers(
            database=parts.database, subscriptions=subscriptions, clock=means.clock
        ),
        dead_letters=DeadLetters(database=parts.database, inboxes=inboxes, clock=means.clock),
    )
