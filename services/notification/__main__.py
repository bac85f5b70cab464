"""`python -m services.notification`: reads the settings and serves until it is told to stop."""

import random
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from discovery.clock import SystemClock
from services.chassis.channels import participant_channel
from services.chassis.consumer.feed_stream import FEED_CONFIG
from services.chassis.ids import IdFactory
from services.chassis.server import instrumentation
from services.chassis.server.registrar import registrar_of
from services.chassis.server.server import serve
from services.chassis.server.settings import (
    DatabaseSettings,
    RegistrySettings,
    ServerSettings,
)
from services.chassis.telemetry.settings import TelemetrySettings
from services.notification.parts import NAME, Means
from services.notification.sending.driver import SEND_TIMEOUT_S
from services.notification.sending.files import FileSender
from services.notification.sending.port import Sender
from services.notification.sending.smtp import SmtpSender
from services.notification.service import build
from services.notification.settings import NotificationSettings, smtp_login


async def main() -> None:
    """Tell customers. Raises pydantic's ValidationError for settings that can't be right."""
    settings = ServerSettings()
    database = DatabaseSettings()  # type: ignore[call-arg]  # read from DATABASE_URL
    notification = NotificationSettings()  # type: ignore[call-arg]  # ..._SENDER_URL
    told = TelemetrySettings()
    clock, rng = SystemClock(), random.Random()
    ids = IdFactory(clock=clock, rng=rng)
    async with (
        instrumentation.exporting(NAME, settings, told, clock=clock) as spans,
        registrar_of(RegistrySettings(), clock=clock, rng=rng) as registrar,
        participant_channel(
            notification.order_target,
            clock=clock,
            rng=rng,
            service_config=FEED_CONFIG,
            spans=spans,
        ) as orders,
        build(
            database_url=database.url,
            readers=database.readers,
            means=Means(
                clock=clock,
                ids=ids,
                rng=rng,
                orders=orders,
                sender=_sender(notification.sender_url),
                sender_address=notification.sender_address,
                customer_domain=notification.customer_domain,
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


def _sender(url: str) -> Sender:
    parsed = urlsplit(url)
    if parsed.scheme == "file":
        return FileSender(Path(parsed.path))
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
    uvloop.run(main())
