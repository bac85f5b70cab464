"""`python -m services.inventory`: reads the settings and serves until it is told to stop."""

import random

import uvloop

from discovery.clock import SystemClock
from services.chassis import telemetry
from services.chassis.ids import IdFactory
from services.chassis.registrar import registrar_of
from services.chassis.server import serve
from services.chassis.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
    TelemetrySettings,
)
from services.inventory.following import feeds_of
from services.inventory.service import NAME, build
from services.inventory.settings import FeedSettings


async def main() -> None:
    """Serve the inventory. Raises pydantic's ValidationError for settings that can't be right."""
    settings, told = ServerSettings(), TelemetrySettings()
    database = DatabaseSettings()  # type: ignore[call-arg]  # read from DATABASE_URL
    clock, rng = SystemClock(), random.Random()
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        telemetry.exporting(NAME, settings, told, clock=clock) as spans,
        registrar_of(RegistrySettings(), clock=clock, rng=rng) as registrar,
        feeds_of(FeedSettings(), clock=clock, rng=rng) as feeds,
        build(
            database_url=database.url,
            readers=database.readers,
            clock=clock,
            ids=ids,
            rng=rng,
            owner=settings.instance_id or NAME,
            feeds=feeds,
            spans=spans,
        ) as service,
    ):
        await serve(
            service,
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=ids,
            rng=rng,
            log_level=told.log_level,
            spans=spans,
        )


if __name__ == "__main__":
    uvloop.run(main())
