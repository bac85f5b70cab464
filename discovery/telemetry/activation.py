"""Decides once for a channel whether its calls are recorded through OpenTelemetry.

Spans and metrics go through OpenTelemetry's API (extra `otel`). If it isn't installed, or nothing
was configured when the channel was opened, the stack has no telemetry layers: calls cost nothing
more, and OpenTelemetry isn't loaded.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from discovery.call.call_state import AttemptTelemetry, CallState

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from discovery.telemetry.call_recording import Recorder

_SCOPE = "discovery"
# The API's own providers, tracers and meters record nothing; they are in these modules.
_API = ("opentelemetry.trace", "opentelemetry.metrics")


def recorder_for(
    target: str,
    *,
    tracer_provider: "TracerProvider | None",
    meter_provider: "MeterProvider | None",
    monotonic: Callable[[], float],
) -> "Recorder | None":
    """The recorder of a channel's calls; None if nothing would record them.

    A channel without providers of its own uses the global ones, as they are now.
    """
    given = tracer_provider is not None or meter_provider is not None
    if not given and not any(name in sys.modules for name in _API):
        # A program that configured OpenTelemetry has loaded it.
        return None
    try:
        from opentelemetry import metrics, trace  # noqa: PLC0415

        from discovery.telemetry.call_recording import Recorder  # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    tracer = (tracer_provider or trace.get_tracer_provider()).get_tracer(_SCOPE)
    meter = (meter_provider or metrics.get_meter_provider()).get_meter(_SCOPE)
    traced, metered = _records(tracer), _records(meter)
    if not traced and not metered:
        return None
    return Recorder(
        target=target,
        tracer=tracer if traced else trace.NoOpTracer(),
        meter=meter if metered else metrics.NoOpMeter(_SCOPE),
        monotonic=monotonic,
    )


def _records(made: object) -> bool:
    return not type(made).__module__.startswith(_API)


def begin_attempt(call: CallState) -> AttemptTelemetry:
    """Record that an attempt begins on the picked instance; add the trace to its headers."""
    subchannel: Any = call.subchannel
    telemetry: Any = call.telemetry
    attempt: AttemptTelemetry = telemetry.attempt(subchannel.instance)
    call.headers = attempt.headers(call.headers)
    return attempt


def code_of(error: BaseException) -> grpc.StatusCode:
    """The status code with which a call ends for its caller after this error."""
    if isinstance(error, grpc.RpcError):
        failure: Any = error
        code: grpc.StatusCode = failure.code()
        return code
    if isinstance(error, asyncio.CancelledError | GeneratorExit | grpc.FutureCancelledError):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN
