"""`python -m services.inventory`: reads the settings and serves until it is stopped."""

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
from services.inventory.parts import NAME, Dependencies
from services.inventory.service import build
from services.inventory.settings import FeedSettings
from services.inventory.subscriptions import feed_channels


async def main() -> None:
    """Serve the inventory. Raises SettingError."""
    settings, telemetry = read(ServerSettings), read(TelemetrySettings)
    database = read(DatabaseSettings)
    clock, rng = SystemClock(), random.Random()
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        secured(NAME, settings.addresses, clock=clock, rng=rng) as security,
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
                feeds=feeds,
                owner=settings.known_instance_id(NAME) or NAME,
                recorders=recorders,
                retention=read(RetentionSettings).of_consumers((feeds.orders, feeds.payments)),
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
