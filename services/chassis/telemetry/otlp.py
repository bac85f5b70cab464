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
from services.chassis.server.settings import ServerSettings, TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from services.chassis.saga.step_spans import StepSpans
    from services.chassis.store.write_spans import WriteSpans
    from services.chassis.telemetry.sdk_pipeline import Pipeline

# What may wait for a slow collector before spans are dropped, and how long a stop waits for it.
MAX_WAITING_SPANS = 4_096
FLUSH_TIMEOUT_S = 2.0


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
    from services.chassis.saga.step_spans import StepSpans  # noqa: PLC0415
    from services.chassis.store.write_spans import WriteSpans  # noqa: PLC0415
    from services.chassis.telemetry import sdk_pipeline  # noqa: PLC0415

    pipeline = sdk_pipeline.pipeline(service_name, server, settings)
    tracer = pipeline.traces.get_tracer("tradepost")
    try:
        yield Spans(
            interceptor=sdk_pipeline.interceptor(pipeline.traces),
            traceparent=sdk_pipeline.current_traceparent,
            writes=WriteSpans(tracer, clock),
            steps=StepSpans(tracer),
            tracer_provider=pipeline.traces,
            meter_provider=pipeline.counts,
        )
    finally:
        await _end(pipeline, clock)


async def _end(pipeline: "Pipeline", clock: Clock) -> None:
    """Send what is left, but let no collector that is away keep the process from stopping.

    In threads: OpenTelemetry waits for its exporters, and the loop must not.
    """
    ending = asyncio.ensure_future(asyncio.to_thread(pipeline.end))
    patience = asyncio.ensure_future(clock.sleep(FLUSH_TIMEOUT_S))
    await asyncio.wait({ending, patience}, return_when=asyncio.FIRST_COMPLETED)
    patience.cancel()
    if not ending.done():
        await asyncio.to_thread(pipeline.give_up)
    await ending
