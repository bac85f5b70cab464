"""Subscribes an instance to its feeds: for the summary, refunds and choreographed checkouts.

The retention asks the services that follow the feed of orders how far they are.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from tradepost.inventory.v1 import inventory_service_pb2
from tradepost.notification.v1 import notification_service_pb2
from tradepost.order.v1 import order_service_pb2
from tradepost.payment.v1 import payment_service_pb2

from discovery.clock import Clock
from discovery.tls.certificates import CertificateSource
from services.chassis.channels import participant_channel
from services.chassis.consumer.consumed_feeds import ConsumedFeeds
from services.chassis.consumer.consumer_lease import WAITED_FOR_LEASE_S
from services.chassis.consumer.subscription import Subscription
from services.chassis.retention.settings import Retention, RetentionSettings
from services.chassis.saga.model import CHOREOGRAPHY
from services.order.checkout import consumer, participant_events, refund_consumer
from services.order.domain.events import Coordination
from services.order.parts import Dependencies, FeedChannels, Parts
from services.order.settings import ParticipantSettings
from services.order.summary.feed_consumers import (
    BATCH_WAIT,
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
    """The subscriptions of an instance, and what it can offer because of them.

    `offered` are its coordinations, the default first.
    """

    consumed: ConsumedFeeds
    summaries: SummaryReader
    offered: OfferedCoordinations


@asynccontextmanager
async def feed_channels(
    targets: ParticipantSettings,
    *,
    clock: Clock,
    rng: random.Random,
    certificates: CertificateSource | None = None,
) -> AsyncIterator[FeedChannels]:
    """Open the channels to the feeds, and close them when the block ends.

    They record no spans: a subscription is one call that lasts as long as its process.
    """
    channel = partial(participant_channel, clock=clock, rng=rng, certificates=certificates)
    async with (
        channel(targets.order_target, contract=order_service_pb2.DESCRIPTOR) as orders,
        channel(targets.payment_target, contract=payment_service_pb2.DESCRIPTOR) as payments,
        channel(
            targets.inventory_target, contract=inventory_service_pb2.DESCRIPTOR
        ) as reservations,
    ):
        yield FeedChannels(orders, payments, reservations)


@asynccontextmanager
async def retention_of(
    settings: RetentionSettings,
    targets: ParticipantSettings,
    feeds: FeedChannels,
    certificates: CertificateSource | None,
    *,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[Retention | None]:
    """What the settings ask for, with channels to all services that follow the feed of orders."""
    if settings.days is None:
        yield None
        return
    async with participant_channel(
        targets.notification_target,
        contract=notification_service_pb2.DESCRIPTOR,
        clock=clock,
        rng=rng,
        certificates=certificates,
    ) as notifications:
        known = (feeds.orders, feeds.payments, feeds.reservations, notifications)
        yield settings.of_consumers(tuple(each for each in known if each is not None))


def subscribe_to_feeds(parts: Parts, dependencies: Dependencies) -> FeedSubscriptions | None:
    """Create the subscriptions of an instance; None when it follows no feeds."""
    if dependencies.feeds is None:
        return None
    subscribe = partial(
        Subscription,
        database=parts.store.database,
        leases=parts.store.leases,
        clock=dependencies.clock,
        ids=dependencies.ids,
        rng=dependencies.rng,
    )
    summarize = partial(subscribe, max_batch=MAX_BATCH, gather=BATCH_WAIT)
    orders = summarize(
        dependencies.feeds.orders, ORDER_CONSUMER, OrderSummarizer(), types=ORDER_TYPES
    )
    payments = summarize(
        dependencies.feeds.payments, PAYMENT_CONSUMER, PaymentSummarizer(), types=PAYMENT_TYPES
    )
    refunds = subscribe(
        dependencies.feeds.payments,
        refund_consumer.CONSUMER,
        parts.refunds,
        types=refund_consumer.TYPES,
    )
    checkout = _checkout(subscribe, parts, dependencies.feeds)
    subscriptions = (orders, payments, refunds, *checkout)
    return FeedSubscriptions(
        consumed=ConsumedFeeds.of(
            subscriptions,
            database=parts.store.database,
            clock=dependencies.clock,
            instance_id=dependencies.owner,
        ),
        summaries=SummaryReader(
            database=parts.store.database,
            orders=orders.inbox,
            payments=payments.inbox,
            tailer=parts.store.tailer,
            clock=dependencies.clock,
        ),
        offered=_both(dependencies.settings.default_coordination)
        if checkout
        else ORCHESTRATED_ONLY,
    )


def _checkout(
    subscribe: Callable[..., Subscription],
    parts: Parts,
    feeds: FeedChannels,
) -> tuple[Subscription, ...]:
    """Subscribe to the participants of choreographed checkouts; to none without reservations."""
    if feeds.reservations is None:
        return ()
    leases = parts.store.leases.lasting(WAITED_FOR_LEASE_S)
    subscribe_to_topic = partial(subscribe, topic=CHOREOGRAPHY, leases=leases)
    return (
        subscribe_to_topic(
            feeds.reservations,
            consumer.RESERVATION_CONSUMER,
            parts.consumer,
            types=participant_events.RESERVATION_TYPES,
        ),
        subscribe_to_topic(
            feeds.payments,
            consumer.PAYMENT_CONSUMER,
            parts.consumer,
            types=participant_events.PAYMENT_TYPES,
        ),
    )


def _both(default: Coordination) -> OfferedCoordinations:
    """Return both coordinations, the default first."""
    return tuple(sorted(Coordination, key=lambda each: each is not default))
