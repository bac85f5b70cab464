"""What follows the feeds: for the customer summary, and for the choreographed checkout."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from discovery.clock import Clock
from services.chassis.channels import participant_channel
from services.chassis.consumer.stream import FEED_CONFIG
from services.chassis.consumer.subscription import WAITED_FOR_LEASE_S, Subscription
from services.chassis.consumer.subscriptions_of_a_service import Followed
from services.chassis.saga.model import CHOREOGRAPHY
from services.chassis.work.lease import Leases
from services.order.checkout import consumer, facts
from services.order.domain.events import Coordination
from services.order.parts import Feeds, Means, Parts
from services.order.settings import ParticipantSettings
from services.order.summary.consumer import (
    GATHER,
    MAX_BATCH,
    ORDER_CONSUMER,
    ORDER_TYPES,
    PAYMENT_CONSUMER,
    PAYMENT_TYPES,
    OrderFacts,
    PaymentFacts,
)
from services.order.summary.reads import Summaries
from services.order.wire.requests import ORCHESTRATED_ALONE, Served


@dataclass(frozen=True, slots=True)
class Following:
    """What an instance follows, and what it can tell for it.

    `served` are the coordinations that it can offer, its default first.
    """

    followed: Followed
    summaries: Summaries
    served: Served


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
        channel(targets.inventory_target) as reservations,
    ):
        yield Feeds(orders, payments, reservations)


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
    )
    summing_up = partial(subscribe, max_batch=MAX_BATCH, gather=GATHER)
    orders = summing_up(means.feeds.orders, ORDER_CONSUMER, OrderFacts(), types=ORDER_TYPES)
    payments = summing_up(
        means.feeds.payments, PAYMENT_CONSUMER, PaymentFacts(), types=PAYMENT_TYPES
    )
    checkout = _checkout(subscribe, parts, means, means.feeds)
    subscriptions = (orders, payments, *checkout)
    return Following(
        followed=Followed.by(subscriptions, database=parts.database, clock=means.clock),
        summaries=Summaries(
            database=parts.database,
            orders=orders.inbox,
            payments=payments.inbox,
            tailer=parts.tailer,
            clock=means.clock,
        ),
        served=_served(means.settings.default_coordination) if checkout else ORCHESTRATED_ALONE,
    )


def _checkout(
    subscribe: Callable[..., Subscription], parts: Parts, means: Means, feeds: Feeds
) -> tuple[Subscription, ...]:
    """What hears the participants of choreographed checkouts; nothing where they can't be heard."""
    if feeds.reservations is None:
        return ()
    leases = Leases.of_a_run(
        means.owner, clock=means.clock, ids=means.ids, rng=means.rng, lease_s=WAITED_FOR_LEASE_S
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


def _served(default: Coordination) -> Served:
    """Both, the default first."""
    return tuple(sorted(Coordination, key=lambda each: each is not default))
