"""What follows the feeds: for the customer summary, and for the choreographed checkout."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from discovery.clock import Clock
from services.chassis.channels import participant_channel
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.feed_stream import FEED_CONFIG
from services.chassis.consumer.subscription import WAITED_FOR_LEASE_S, Subscription
from services.chassis.saga.model import CHOREOGRAPHY
from services.chassis.work.lease import Leases
from services.order.checkout import consumer, facts
from services.order.domain.events import Coordination
from services.order.parts import Dependencies, FeedChannels, Parts
from services.order.settings import ParticipantSettings
from services.order.summary.feed_consumers import (
    GATHER,
    MAX_BATCH,
    ORDER_CONSUMER,
    ORDER_TYPES,
    PAYMENT_CONSUMER,
    PAYMENT_TYPES,
    OrderSummarizer,
    PaymentSummarizer,
)
from services.order.summary.summary_reader import SummaryReader
from services.order.wire.requests import ORCHESTRATED_ONLY, OfferedCoordinations


@dataclass(frozen=True, slots=True)
class FeedSubscriptions:
    """What an instance follows, and what it can tell for it.

    `served` are the coordinations that it can offer, its default first.
    """

    consumed: ConsumedFeeds
    summaries: SummaryReader
    served: OfferedCoordinations


@asynccontextmanager
async def feeds_of(
    targets: ParticipantSettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[FeedChannels]:
    """Channels to the feeds; closed when the block ends.

    They are in no trace: a subscription lasts as long as its process, and is nobody's call.
    """
    channel = partial(participant_channel, clock=clock, rng=rng, service_config=FEED_CONFIG)
    async with (
        channel(targets.order_target) as orders,
        channel(targets.payment_target) as payments,
        channel(targets.inventory_target) as reservations,
    ):
        yield FeedChannels(orders, payments, reservations)


def follow(parts: Parts, dependencies: Dependencies) -> FeedSubscriptions | None:
    """Have an instance follow its feeds; None where it has none."""
    if dependencies.feeds is None:
        return None
    subscribe = partial(
        Subscription,
        database=parts.database,
        leases=parts.leases,
        clock=dependencies.clock,
        ids=dependencies.ids,
        rng=dependencies.rng,
    )
    summing_up = partial(subscribe, max_batch=MAX_BATCH, gather=GATHER)
    orders = summing_up(
        dependencies.feeds.orders, ORDER_CONSUMER, OrderSummarizer(), types=ORDER_TYPES
    )
    payments = summing_up(
        dependencies.feeds.payments, PAYMENT_CONSUMER, PaymentSummarizer(), types=PAYMENT_TYPES
    )
    checkout = _checkout(subscribe, parts, dependencies, dependencies.feeds)
    subscriptions = (orders, payments, *checkout)
    return FeedSubscriptions(
        consumed=ConsumedFeeds.of(subscriptions, database=parts.database, clock=dependencies.clock),
        summaries=SummaryReader(
            database=parts.database,
            orders=orders.inbox,
            payments=payments.inbox,
            tailer=parts.tailer,
            clock=dependencies.clock,
        ),
        served=_served(dependencies.settings.default_coordination)
        if checkout
        else ORCHESTRATED_ONLY,
    )


def _checkout(
    subscribe: Callable[..., Subscription],
    parts: Parts,
    dependencies: Dependencies,
    feeds: FeedChannels,
) -> tuple[Subscription, ...]:
    """What hears the participants of choreographed checkouts; nothing where they can't be heard."""
    if feeds.reservations is None:
        return ()
    leases = Leases.of_a_run(
        dependencies.owner,
        clock=dependencies.clock,
        ids=dependencies.ids,
        rng=dependencies.rng,
        lease_s=WAITED_FOR_LEASE_S,
    )
    follow = partial(subscribe, topic=CHOREOGRAPHY, leases=leases)
    return (
        follow(
            feeds.reservations,
            consumer.RESERVATION_CONSUMER,
            parts.consumer,
            types=facts.RESERVATION_TYPES,
        ),
        follow(
            feeds.payments,
            consumer.PAYMENT_CONSUMER,
            parts.consumer,
            types=facts.PAYMENT_TYPES,
        ),
    )


def _served(default: Coordination) -> OfferedCoordinations:
    """Both, the default first."""
    return tuple(sorted(Coordination, key=lambda each: each is not default))
