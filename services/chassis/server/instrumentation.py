"""The span makers of a traced process, each of which is handed to its part.

It is composed here because the layers below must not know each other: the database's spans belong
to `store`, those of saga steps to `saga`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from discovery.clock import Clock
from services.chassis.environment import forget_empty
from services.chassis.ids import IdFactory
from services.chassis.server.settings import ServerSettings
from services.chassis.telemetry import otlp
from services.chassis.telemetry.settings import ProcessIdentity, TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from services.chassis.saga.step_spans import StepSpans
    from services.chassis.store.write_spans import WriteSpans


@dataclass(frozen=True, slots=True)
class Spans:
    """The span makers of a process.

    `interceptor` opens the span of each call that a server answers, and `traceparent` returns the
    current span's. `writes` is for the database, `steps` for the saga runner, the providers for
    channels; without a meter provider channels record no metrics.
    """

    interceptor: grpc.aio.ServerInterceptor
    traceparent: Callable[[], str]
    writes: "WriteSpans"
    steps: "StepSpans"
    tracer_provider: "TracerProvider"
    meter_provider: "MeterProvider | None"


@asynccontextmanager
async def exporting(
    service_name: str,
    server: ServerSettings,
    settings: TelemetrySettings,
    *,
    clock: Clock,
    ids: IdFactory,
) -> AsyncIterator[Spans | None]:
    """Export spans and metrics while the block runs; yields None if neither is exported.

    Every process has an id of its own: that of its registration, or a new one where the port, and
    with it the id, isn't chosen yet.
    """
    forget_empty("OTEL_")
    is_known = server.instance_id or server.port
    instance_id = server.instance_id_at(service_name, server.port) if is_known else ids.new("ins")
    process = ProcessIdentity(service_name, server.version, instance_id)
    async with otlp.exporting(process, settings, clock=clock) as providers:
        if providers is None:
            yield None
            return
        # These import OpenTelemetry, which only a traced process shall do.
        from services.chassis.saga.step_spans import StepSpans  # noqa: PLC0415
        from services.chassis.store.write_spans import WriteSpans  # noqa: PLC0415
        from services.chassis.telemetry.providers import (  # noqa: PLC0415
            current_traceparent,
            server_interceptor,
        )

        tracer = providers.tracers.get_tracer("tradepost")
        yield Spans(
            interceptor=server_interceptor(providers.tracers),
            traceparent=current_traceparent,
            writes=WriteSpans(tracer, clock),
            steps=StepSpans(tracer),
            tracer_provider=providers.tracers,
            meter_provider=providers.meters,
        )
