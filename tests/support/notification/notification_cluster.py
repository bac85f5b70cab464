"""Instances of the notification service, with the order feed that they follow and a mail server.

async with notification_cluster(databases) as cluster, cluster.instance() as instance:
    await cluster.append(order_id, placed("ann"), confirmed(1250))
    (notification,) = await instance.until_sent(1)
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from tradepost.event.v1.event_service_pb2_grpc import (
    DeadLetterServiceAsyncStub,
    DeadLetterServiceStub,
)
from tradepost.notification.v1 import notification_pb2
from tradepost.notification.v1 import notification_service_pb2 as pb
from tradepost.notification.v1.notification_service_pb2_grpc import (
    NotificationServiceAsyncStub,
    NotificationServiceStub,
)

from discovery.clock import Clock, SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import NewEvent
from services.chassis.server.lifecycle import running
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings
from services.notification.parts import Dependencies
from services.notification.sending.smtp_sender import SmtpSender
from services.notification.service import build
from tests.support.chassis.event_source import Source, event_source
from tests.support.limits import WAIT_S
from tests.support.notification.mail_server import MailServer, mail_server
from tests.support.store.databases import Databases

SEND_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class NotificationInstance:
    """A running instance, and stubs to call it."""

    service: Service
    channel: grpc.aio.Channel
    stub: NotificationServiceAsyncStub
    dead_letters: DeadLetterServiceAsyncStub

    async def list(
        self, *, order_id: str = "", customer_id: str = ""
    ) -> Sequence[notification_pb2.Notification]:
        """Return the notifications that match, at most a thousand."""
        request = pb.ListNotificationsRequest(
            page_size=1_000, order_id=order_id, customer_id=customer_id
        )
        return (await self.stub.ListNotifications(request)).notifications

    async def until_sent(self, number: int) -> Sequence[notification_pb2.Notification]:
        """Return all notifications once there are `number` of them and all are SENT."""
        return await self.until_in(number, {notification_pb2.NOTIFICATION_STATE_SENT})

    async def until_in(
        self, number: int, states: set[int]
    ) -> Sequence[notification_pb2.Notification]:
        """Return all notifications once there are `number` of them and all are in `states`."""
        return await self.until(
            lambda found: len(found) >= number and {each.state for each in found} <= states
        )

    async def until(
        self, condition: Callable[[Sequence[notification_pb2.Notification]], bool]
    ) -> Sequence[notification_pb2.Notification]:
        """Return all notifications once the condition holds for them."""
        async with asyncio.timeout(WAIT_S):
            while not condition(found := await self.list()):
                pass
        return found

    async def until_applied(self, position: int) -> None:
        """Return once the order feed is applied up to the position."""
        async with asyncio.timeout(WAIT_S):
            while (
                await self.stub.ListNotifications(pb.ListNotificationsRequest())
            ).order_position < position:
                pass


@dataclass(frozen=True)
class NotificationCluster:
    """What all instances share: their database, the order feed and the mail server."""

    databases: Databases
    order_feed: Source
    mail: MailServer
    clock: Clock

    async def append(self, order_id: str, *events: NewEvent) -> int:
        """Append events of an order to the feed; return the position of the last."""
        return (await self.order_feed.append_all(order_id, events))[-1].position

    @asynccontextmanager
    async def instance(
        self, owner: str = "first", *, max_concurrent: int = 256
    ) -> AsyncIterator[NotificationInstance]:
        """Serve an instance; it drains when the block ends."""
        system, rng = SystemClock(), random.Random(owner)
        ids = IdFactory(clock=system, rng=rng)
        dependencies = Dependencies(
            clock=self.clock,
            ids=ids,
            rng=rng,
            orders=self.order_feed.channel,
            sender=SmtpSender(host="127.0.0.1", port=self.mail.port, timeout_s=SEND_TIMEOUT_S),
            sender_address="orders@tradepost.localhost",
            customer_domain="customers.localhost",
            owner=owner,
            poll_s=0.02,
            subscription_poll_s=0.02,
        )
        url = self.databases.url("notification")
        settings = ServerSettings(drain_s=0, stop_grace_s=2, max_concurrent=max_concurrent)
        async with (
            build(database_url=url, dependencies=dependencies) as service,
            running(service, settings=settings, clock=system, ids=ids, rng=rng) as server,
            grpc.aio.insecure_channel(server.endpoint) as channel,
        ):
            stub, dead_letters = NotificationServiceStub(channel), DeadLetterServiceStub(channel)
            yield NotificationInstance(service, channel, stub, dead_letters)


@asynccontextmanager
async def notification_cluster(
    databases: Databases, *, clock: Clock | None = None
) -> AsyncIterator[NotificationCluster]:
    """Serve an order feed and a mail server; instances are started by the test."""
    async with event_source(databases) as order_feed, mail_server() as mail:
        yield NotificationCluster(databases, order_feed, mail, clock or SystemClock())
