"""`python -m services.payment`: reads the settings and serves until it is stopped."""

import random
import sys

import uvloop

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.identity.security import secured
from services.chassis.ids import IdFactory
from services.chassis.retention.settings import RetentionSettings
from services.chassis.server import epoch_command, instrumentation, program
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
)
from services.chassis.telemetry.settings import TelemetrySettings
from services.payment.parts import NAME, Dependencies
from services.payment.processor.urls import open_processor
from services.payment.service import build
from services.payment.settings import FeedSettings, PaymentSettings
from services.payment.subscriptions import feed_channels


async def main() -> None:
    """Serve payments. Raises SettingError."""
    settings, database = read(ServerSettings), read(DatabaseSettings)
    telemetry = read(TelemetrySettings)
    payment = read(PaymentSettings)
    clock, rng = SystemClock(), random.Random()
    ids = IdFactory(clock=clock, rng=rng)
    owner = settings.known_instance_id(NAME) or NAME
    async with (
        secured(NAME, settings.addresses, clock=clock, rng=rng) as security,
        open_processor(payment.processor_url, clock=clock, owner=owner) as opened,
        instrumentation.exporting(NAME, settings, telemetry, clock=clock, ids=ids) as recorders,
        registrar_of(read(RegistrySettings), settings, clock=clock, rng=rng) as registrar,
        feed_channels(
            read(FeedSettings), clock=clock, rng=rng, certificates=security.certificates
        ) as feeds,
        build(
            database_url=database.url,
            readers=database.readers,
            timeout_s=database.timeout_s,
            dependencies=Dependencies(
                clock=clock,
                ids=ids,
                rng=rng,
                processor=opened.processor,
                testing=opened.testing if payment.payment_testing else None,
                feeds=feeds,
                owner=owner,
                timing=payment.timing,
                recorders=recorders,
                retention=read(RetentionSettings).of_consumers((feeds.orders, feeds.reservations)),
            ),
        ) as service,
    ):
        await serve(
            service,
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=ids,
            rng=rng,
            log_level=telemetry.log_level,
            recorders=recorders,
            security=security,
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(uvloop.run(epoch_command.main(NAME, sys.argv[1:], rng=random.Random())))
    sys.exit(program.run(main, service=NAME))
