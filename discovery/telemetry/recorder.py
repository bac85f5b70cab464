"""Whether anybody is told of calls, which is decided once for a channel, and where they are told.

Spans and metrics go through OpenTelemetry's API (extra `otel`). Where it isn't installed, or
nothing was configured when the channel was opened, the layers aren't there at all: a call then
costs what it would cost without this module, and OpenTelemetry isn't even loaded.
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

    from discovery.telemetry.spans import Recorder

_SCOPE = "discovery"
# What the API itself brings records nothing: providers, tracers and meters all stand in these.
_API = ("opentelemetry.trace", "opentelemetry.metrics")


def recorder_for(
    target: str,
    *,
    tracer_provider: "TracerProvider | None",
    meter_provider: "MeterProvider | None",
    monotonic: Callable[[], float],
) -> "Recorder | None":
    """Who is told of a channel's calls; None where nobody would hear it.

    Without providers of its own a channel takes the global ones, as they are now.
    """
    given = tracer_provider is not None or meter_provider is not None
    if not given and not any(name in sys.modules for name in _API):
        # Whoever configures OpenTelemetry has loaded it.
        return None
    try:
        from opentelemetry import metrics, trace  # noqa: PLC0415

        from discovery.telemetry.spans import Recorder  # noqa: PLC0415
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
    """Record that an attempt begins on the picked instance; its headers carry the trace."""
    subchannel: Any = call.subchannel
    telemetry: Any = call.telemetry
    attempt: AttemptTelemetry = telemetry.attempt(subchannel.instance)
    call.headers = attempt.headers(call.headers)
    return attempt


def code_of(error: BaseException) -> grpc.StatusCode:
    """The status of what ended an RPC, as its caller sees it."""
    if isinstance(error, grpc.RpcError):
        failure: Any = error
        code: grpc.StatusCode = failure.code()
        return code
    if isinstance(error, asyncio.CancelledError | GeneratorExit | grpc.FutureCancelledError):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN
