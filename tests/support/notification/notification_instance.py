"""The notification service on a database, which sends its mails into a folder."""

import random
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import grpc

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server.service_definition import Service
from services.notification.parts import Dependencies
from services.notification.sending.file_sender import FileSender
from services.notification.service import build


def service_on(
    url: str, *, orders: grpc.aio.Channel, folder: Path
) -> AbstractAsyncContextManager[Service]:
    """Build the service; `orders` is a channel to the feed that it follows."""
    clock, rng = SystemClock(), random.Random(9)
    dependencies = Dependencies(
        clock=clock,
        ids=IdFactory(clock=clock, rng=rng),
        rng=rng,
        orders=orders,
        sender=FileSender(folder),
        sender_address="orders@tradepost.localhost",
        customer_domain="customers.localhost",
    )
    return build(database_url=url, dependencies=dependencies)
