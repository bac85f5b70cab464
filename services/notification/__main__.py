"""`python -m services.notification`: reads the settings and serves until a signal stops it."""

import random
import sys
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from tradepost.order.v1 import order_service_pb2

from discovery.clock import Clock, SystemClock
from services.chassis.channels import CorrelatedChannel, participant_channel
from services.chassis.environment import read
from services.chassis.identity.security import Security, secured
from services.chassis.ids import IdFactory
from services.chassis.retention.settings import RetentionSettings
from services.chassis.server import epoch_command, instrumentation, program
from services.chassis.server.instrumentation import Recorders
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
)
from services.chassis.telemetry.settings import TelemetrySettings
from services.notification.parts import NAME, Dependencies
from services.notification.sending.delivery import SEND_TIMEOUT_S
from services.notification.sending.file_sender import FileSender
from services.notification.sending.port import Sender
from services.notification.service import build
from services.notification.settings import NotificationSettings, smtp_login


async def main() -> None:
    """Serve. Raises SettingError."""
    settings, database = read(ServerSettings), read(DatabaseSettings)
    notification, telemetry = read(NotificationSettings), read(TelemetrySettings)
    clock, rng = SystemClock(), random.Random()
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        secured(NAME, settings.addresses, clock=clock, rng=rng) as security,
        instrumentation.exporting(NAME, settings, telemetry, clock=clock, ids=ids) as recorders,
        registrar_of(read(RegistrySettings), settings, clock=clock, rng=rng) as registrar,
        _orders(notification, security, recorders, clock=clock, rng=rng) as orders,
        build(
            database_url=database.url,
            readers=database.readers,
            timeout_s=database.timeout_s,
            dependencies=Dependencies(
                clock=clock,
                ids=ids,
                rng=rng,
                orders=orders,
                sender=_sender_of(notification.sender_url),
                sender_address=notification.sender_address,
                customer_domain=notification.customer_domain,
                owner=settings.known_instance_id(NAME) or NAME,
                recorders=recorders,
                retention=read(RetentionSettings).of_consumers(()),
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


def _orders(
    settings: NotificationSettings,
    security: Security,
    recorders: Recorders | None,
    *,
    clock: Clock,
    rng: random.Random,
) -> CorrelatedChannel:
    """A channel to the order service."""
    return participant_channel(
        settings.order_target,
        contract=order_service_pb2.DESCRIPTOR,
        clock=clock,
        rng=rng,
        certificates=security.certificates,
        recorders=recorders,
    )


def _sender_of(url: str) -> Sender:
    parsed = urlsplit(url)
    if parsed.scheme == "file":
        return FileSender(Path(parsed.path))
    # Only a process that sends by SMTP loads the client for it.
    from services.notification.sending.smtp_sender import SmtpSender  # noqa: PLC0415

    login = smtp_login(url)
    return SmtpSender(
        host=login.host,
        port=login.port,
        username=login.username,
        password=login.password,
        use_tls=login.use_tls,
        timeout_s=SEND_TIMEOUT_S,
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(uvloop.run(epoch_command.main(NAME, sys.argv[1:], rng=random.Random())))
    sys.exit(program.run(main, service=NAME))
