"""The notification service in a world: orders that tell, a mail server that takes, instances.

async with post_office(databases) as office, office.instance() as one:
    await office.tell(order_id, placed("ann"), confirmed(1250))
    (notification,) = await one.sent(1)
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
from services.chassis.server.server import Service, running
from services.chassis.server.settings import ServerSettings
from services.notification.parts import Means
from services.notification.sending.smtp import SmtpSender
from services.notification.service import build
from tests.support.chassis.event_source import Source, event_source
from tests.support.notification.mail_server import MailServer, mail_server
from tests.support.store.databases import Databases

WAIT_S = 60.0
SEND_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Instance:
    """One instance as its callers see it."""

    service: Service
    channel: grpc.aio.Channel
    stub: NotificationServiceAsyncStub
    letters: DeadLetterServiceAsyncStub

    async def listed(self, **filters: str) -> Sequence[notification_pb2.Notification]:
        """What it lists, at most a thousand."""
        request = pb.ListNotificationsRequest(page_size=1_000, **filters)
        return (await self.stub.ListNotifications(request)).notifications

    async def sent(self, number: int) -> Sequence[notification_pb2.Notification]:
        """So many notifications, as soon as all of them were taken."""
        return await self.when(number, {notification_pb2.NOTIFICATION_STATE_SENT})

    async def when(self, number: int, states: set[int]) -> Sequence[notification_pb2.Notification]:
        """So many notifications, as soon as all of them stand in one of the states."""
        return await self.once(
            lambda found: len(found) >= number and {each.state for each in found} <= states
        )

    async def once(
        self, is_so: Callable[[Sequence[notification_pb2.Notification]], bool]
    ) -> Sequence[notification_pb2.Notification]:
        """What it lists as soon as that is so."""
        async with asyncio.timeout(WAIT_S):
            while not is_so(found := await self.listed()):
                pass
        return found

    async def read_up_to(self, position: int) -> None:
        """Return once it has read the order feed so far."""
        async with asyncio.timeout(WAIT_S):
            while (
                await self.stub.ListNotifications(pb.ListNotificationsRequest())
            ).order_position < position:
                pass


@dataclass(frozen=True)
class PostOffice:
    """What the instances of the service share."""

    databases: Databases
    source: Source
    mail: MailServer
    clock: Clock

    async def tell(self, order_id: str, *events: NewEvent) -> int:
        """Events of an order; the position of the last."""
        return (await self.source.append_all(order_id, events))[-1].position

    @asynccontextmanager
    async def instance(
        self, owner: str = "first", *, max_concurrent: int = 256
    ) -> AsyncIterator[Instance]:
        """An instance that is served; it drains when the block ends."""
        system, rng = SystemClock(), random.Random(owner)
        ids = IdFactory(clock=system, rng=rng)
        means = Means(
            clock=self.clock,
            ids=ids,
            rng=rng,
            orders=self.source.channel,
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
            build(database_url=url, means=means) as service,
            running(service, settings=settings, clock=system, ids=ids, rng=rng) as server,
            grpc.aio.insecure_channel(server.endpoint) as channel,
        ):
            stub, letters = NotificationServiceStub(channel), DeadLetterServiceStub(channel)
            yield Instance(service, channel, stub, letters)


@asynccontextmanager
async def post_office(
    databases: Databases, *, clock: Clock | None = None
) -> AsyncIterator[PostOffice]:
    """A world without an instance."""
    async with event_source(databases) as source, mail_server() as mail:
        yield PostOffice(databases, source, mail, clock or SystemClock())
