"""What a process records spans and metrics with, each of which is handed to its part.

It is composed here because the layers below must not know each other: the database's spans belong
to `store`, those of saga steps to `saga`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import grpc

from discovery.balancing.explanation import Explanation
from discovery.clock import Clock
from services.chassis.environment import forget_empty
from services.chassis.ids import IdFactory
from services.chassis.server.errors import CannotListenError
from services.chassis.server.settings import ServerSettings
from services.chassis.telemetry import otlp
from services.chassis.telemetry.errors import MetricsAddressError
from services.chassis.telemetry.settings import ProcessIdentity, TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from services.chassis.consumer.inbox import Handler
    from services.chassis.saga.step_spans import StepSpans
    from services.chassis.store.write_spans import WriteSpans
    from services.chassis.telemetry.metric_recorder import MetricRecorder
    from services.chassis.telemetry.providers import Providers

_SCOPE = "tradepost"
METRICS_ADDRESS = "TRADEPOST_METRICS_HOST, TRADEPOST_METRICS_PORT"


@dataclass(frozen=True, slots=True)
class Recorders:
    """What a process records spans and metrics with; each is None where it isn't exported.

    `interceptor` opens the span of each call that a server answers, and `traceparent` returns the
    current span's. `writes` is for the database, `steps` for the saga runner, `handlers` for
    consumers, the providers for channels.
    """

    interceptor: grpc.aio.ServerInterceptor | None = None
    traceparent: Callable[[], str] | None = None
    writes: "WriteSpans | None" = None
    steps: "StepSpans | None" = None
    handlers: "Callable[[str, Handler], Handler] | None" = None
    tracer_provider: "TracerProvider | None" = None
    meter_provider: "MeterProvider | None" = None
    metrics: "MetricRecorder | None" = None
    # The channels whose state the metrics show: the target of each, and what explains it.
    channels: list[tuple[str, Callable[[], Explanation]]] = field(default_factory=list)

    def traced(self, consumer: str, handler: "Handler") -> "Handler":
        """The handler of a consumer, with a span for each event if spans are exported."""
        return handler if self.handlers is None else self.handlers(consumer, handler)


@asynccontextmanager
async def exporting(
    service_name: str,
    server: ServerSettings,
    settings: TelemetrySettings,
    *,
    clock: Clock,
    ids: IdFactory,
) -> AsyncIterator[Recorders | None]:
    """Export spans and metrics while the block runs; yields None if neither is exported.

    Every process has an id of its own: that of its registration, or a new one where the port, and
    with it the id, isn't chosen yet. Raises CannotListenError.
    """
    forget_empty("OTEL_")
    instance_id = server.known_instance_id(service_name) or ids.new("ins")
    process = ProcessIdentity(service_name, server.version, instance_id)
    async with AsyncExitStack() as stack:
        try:
            providers = await stack.enter_async_context(
                otlp.exporting(process, settings, clock=clock)
            )
        except MetricsAddressError as error:
            address = f"{settings.metrics_host}:{settings.metrics_port}"
            raise CannotListenError(address, METRICS_ADDRESS) from error
        yield None if providers is None else _recorders_of(providers, clock)


def _recorders_of(providers: "Providers", clock: Clock) -> Recorders:
    # These import OpenTelemetry, which only a traced process shall do.
    from services.chassis.consumer.event_spans import TracedHandler  # noqa: PLC0415
    from services.chassis.saga.step_spans import StepSpans  # noqa: PLC0415
    from services.chassis.store.write_spans import WriteSpans  # noqa: PLC0415
    from services.chassis.telemetry.metric_recorder import MetricRecorder  # noqa: PLC0415
    from services.chassis.telemetry.providers import (  # noqa: PLC0415
        current_traceparent,
        server_interceptor,
    )

    meters = providers.meters
    metrics = None if meters is None else MetricRecorder(meters.get_meter(_SCOPE), clock.monotonic)
    if providers.tracers is None:
        return Recorders(meter_provider=meters, metrics=metrics)
    tracer = providers.tracers.get_tracer(_SCOPE)
    return Recorders(
        interceptor=server_interceptor(providers.tracers),
        traceparent=current_traceparent,
        writes=WriteSpans(tracer, clock),
        steps=StepSpans(tracer),
        handlers=partial(TracedHandler, tracer=tracer),
        tracer_provider=providers.tracers,
        meter_provider=meters,
        metrics=metrics,
    )
