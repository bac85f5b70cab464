"""`python -m services.order`: reads the settings and serves until it is told to stop.

`python -m services.order rebuild` rebuilds the read models beside the instances that serve.
"""

import random
import sys

import uvloop

from discovery.clock import SystemClock
from services.chassis.channels import participant_channel
from services.chassis.ids import IdFactory
from services.chassis.server import instrumentation
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
)
from services.chassis.telemetry.settings import TelemetrySettings
from services.order.parts import NAME, Dependencies, ParticipantChannels
from services.order.rebuild import command_line
from services.order.service import build
from services.order.settings import PAYMENT_CONFIG, ParticipantSettings, SagaSettings
from services.order.subscriptions import feeds_of


async def main() -> None:
    """Serve orders. Raises pydantic's ValidationError for settings that can't be right."""
    settings, saga, targets = ServerSettings(), SagaSettings(), ParticipantSettings()
    told = TelemetrySettings()
    database = DatabaseSettings()  # type: ignore[call-arg]  # read from DATABASE_URL
    clock, rng = SystemClock(), random.Random()
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        instrumentation.exporting(NAME, settings, told, clock=clock) as spans,
        registrar_of(RegistrySettings(), clock=clock, rng=rng) as registrar,
        participant_channel(
            targets.inventory_target, clock=clock, rng=rng, spans=spans
        ) as inventory,
        participant_channel(
            targets.payment_target,
            clock=clock,
            rng=rng,
            service_config=PAYMENT_CONFIG,
            spans=spans,
        ) as payment,
        feeds_of(targets, clock=clock, rng=rng) as feeds,
        build(
            database_url=database.url,
            readers=database.readers,
            dependencies=Dependencies(
                clock=clock,
                ids=ids,
                rng=rng,
                participants=ParticipantChannels(inventory, payment),
                settings=saga,
                feeds=feeds,
                owner=settings.instance_id or NAME,
                spans=spans,
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
            log_level=told.log_level,
            spans=spans,
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(uvloop.run(command_line.main(sys.argv[1:], rng=random.Random())))
    uvloop.run(main())
