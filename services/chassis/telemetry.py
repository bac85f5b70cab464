"""Traces and metrics to an OTLP endpoint, when there is one.

Without an endpoint nothing of OpenTelemetry is loaded.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from discovery.clock import Clock
from services.chassis.settings import ServerSettings, TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from services.chassis.step_spans import StepSpans
    from services.chassis.write_spans import WriteSpans

# What may wait for a slow collector before spans are dropped, and how long a stop waits for it.
MAX_WAITING_SPANS = 4_096
FLUSH_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True)
class Spans:
    """What the parts of a traced process tell their spans through, each handed to its part.

    `interceptor` opens the span of a call that a server answers, `traceparent` tells the current
    one. `writes` is for the database, `steps` for the saga runner, the providers for channels;
    without a meter provider channels count nothing.
    """

    interceptor: grpc.aio.ServerInterceptor
    traceparent: Callable[[], str]
    writes: "WriteSpans"
    steps: "StepSpans"
    tracer_provider: "TracerProvider"
    meter_provider: "MeterProvider | None"


@asynccontextmanager
async def exporting(
    service_name: str, server: ServerSettings, settings: TelemetrySettings, *, clock: Clock
) -> AsyncIterator[Spans | None]:
    """Export spans while the block runs; None where no endpoint is set."""
    if not settings.otlp_endpoint:
        yield None
        return
    # Tens of megabytes and a third of a second of start-up that only a traced process pays for.
    from services.chassis import tracing  # noqa: PLC0415
    from services.chassis.step_spans import StepSpans  # noqa: PLC0415
    from services.chassis.write_spans import WriteSpans  # noqa: PLC0415

    sender = tracing.resource(service_name, server)
    traces = tracing.tracer_provider(sender, settings)
    counts = tracing.meter_provider(sender, settings) if settings.metrics == "otlp" else None
    tracer = traces.get_tracer("tradepost")
    try:
        yield Spans(
            interceptor=tracing.interceptor(traces),
            traceparent=tracing.current_traceparent,
            writes=WriteSpans(tracer, clock),
            steps=StepSpans(tracer),
            tracer_provider=traces,
            meter_provider=counts,
        )
    finally:
        # In a thread: OpenTelemetry waits for its exporter, and the loop must not.
        await asyncio.to_thread(traces.force_flush, FLUSH_TIMEOUT_MS)
        await asyncio.to_thread(traces.shutdown)
        if counts is not None:
            await asyncio.to_thread(counts.shutdown, FLUSH_TIMEOUT_MS)
