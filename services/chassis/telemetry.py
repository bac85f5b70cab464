"""Traces to an OTLP endpoint, when there is one; without it nothing of OpenTelemetry is loaded."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from services.chassis.settings import ServerSettings, TelemetrySettings

# What may wait for a slow collector before spans are dropped, and how long a stop waits for it.
MAX_WAITING_SPANS = 4_096
FLUSH_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True)
class Spans:
    """The server's side of tracing: opens a span per call, tells the current one."""

    interceptor: grpc.aio.ServerInterceptor
    traceparent: Callable[[], str]


@asynccontextmanager
async def exporting(
    service_name: str, server: ServerSettings, settings: TelemetrySettings
) -> AsyncIterator[Spans | None]:
    """Export spans while the block runs; None where no endpoint is set."""
    if not settings.otlp_endpoint:
        yield None
        return
    # Tens of megabytes and a third of a second of start-up that only a traced process pays for.
    from services.chassis import tracing  # noqa: PLC0415

    provider = tracing.provider(service_name, server, settings.otlp_endpoint)
    try:
        yield Spans(tracing.interceptor(provider), tracing.current_traceparent)
    finally:
        # In a thread: OpenTelemetry waits for its exporter, and the loop must not.
        await asyncio.to_thread(provider.force_flush, FLUSH_TIMEOUT_MS)
        await asyncio.to_thread(provider.shutdown)
