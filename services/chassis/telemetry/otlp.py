"""Exports spans and metrics, by OTLP or to Prometheus, while a process runs.

Without an endpoint or a port nothing of OpenTelemetry is imported.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from discovery.clock import Clock
from services.chassis.telemetry.settings import ProcessIdentity, TelemetrySettings

if TYPE_CHECKING:
    from services.chassis.telemetry.providers import Providers

# A process that stops waits this long for a slow collector to take the rest.
FLUSH_TIMEOUT_S = 2.0


@asynccontextmanager
async def exporting(
    process: ProcessIdentity, settings: TelemetrySettings, *, clock: Clock
) -> AsyncIterator["Providers | None"]:
    """Export spans and metrics while the block runs; yields None if neither is exported.

    Raises MetricsAddressError.
    """
    if not settings.is_exporting:
        yield None
        return
    # This import costs tens of megabytes and a third of a second, so only a traced process does it.
    from services.chassis.telemetry.providers import providers_of  # noqa: PLC0415

    providers = providers_of(process, settings)
    try:
        yield providers
    finally:
        await _shut_down(providers, clock)


async def _shut_down(providers: "Providers", clock: Clock) -> None:
    """Send the rest, but do not let an unreachable collector keep the process from stopping.

    Both calls run in threads, because they block while the exporters send.
    """
    shut_down = asyncio.ensure_future(asyncio.to_thread(providers.shut_down))
    timeout = asyncio.ensure_future(clock.sleep(FLUSH_TIMEOUT_S))
    await asyncio.wait({shut_down, timeout}, return_when=asyncio.FIRST_COMPLETED)
    timeout.cancel()
    if not shut_down.done():
        await asyncio.to_thread(providers.drop_rest)
    await shut_down
