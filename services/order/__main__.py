"""`python -m services.order` reads the settings and serves orders until a signal stops it.

`python -m services.order rebuild` rebuilds the read models while other instances serve,
`python -m services.order new-epoch` begins a new epoch of the event log after a restore, and
`python -m services.order archive FOLDER` shows the orders that the retention has archived.
"""

import random
import sys

import uvloop

from discovery.clock import SystemClock
from services.chassis.environment import read
from services.chassis.identity.security import secured
from services.chassis.ids import IdFactory
from services.chassis.retention.settings import RetentionSettings
from services.chassis.server import instrumentation, program
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
)
from services.chassis.telemetry.settings import TelemetrySettings
from services.order.checkout.participants import participant_channels
from services.order.parts import NAME, Dependencies
from services.order.service import build
from services.order.settings import ParticipantSettings, SagaSettings
from services.order.subscriptions import feed_channels, retention_of


async def main() -> None:
    """Serve orders. Raises SettingError."""
    settings, saga, targets = read(ServerSettings), read(SagaSettings), read(ParticipantSettings)
    telemetry = read(TelemetrySettings)
    database = read(DatabaseSettings)
    clock, rng = SystemClock(), random.Random()
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        secured(NAME, settings.addresses, clock=clock, rng=rng) as security,
        instrumentation.exporting(NAME, settings, telemetry, clock=clock, ids=ids) as recorders,
        registrar_of(read(RegistrySettings), settings, clock=clock, rng=rng) as registrar,
        participant_channels(
            targets, clock=clock, rng=rng, certificates=security.certificates, recorders=recorders
        ) as participants,
        feed_channels(targets, clock=clock, rng=rng, certificates=security.certificates) as feeds,
        retention_of(
            read(RetentionSettings), targets, feeds, security.certificates, clock=clock, rng=rng
        ) as retained,
        build(
            database_url=database.url,
            readers=database.readers,
            timeout_s=database.timeout_s,
            dependencies=Dependencies(
                clock=clock,
                ids=ids,
                rng=rng,
                participants=participants,
                settings=saga,
                feeds=feeds,
                owner=settings.known_instance_id(NAME) or NAME,
                recorders=recorders,
                retention=retained,
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
        from services.order.rebuild import command_line

        sys.exit(uvloop.run(command_line.main(sys.argv[1:], rng=random.Random())))
    sys.exit(program.run(main, service=NAME))
