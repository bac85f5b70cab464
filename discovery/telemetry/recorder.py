"""Whether anybody is told of calls, which is decided once for a channel, and where they are told.

Spans and metrics go through OpenTelemetry's API (extra `otel`). Where it isn't installed, or
nothing was configured when the channel was opened, the layers aren't there at all: a call then
costs what it would cost without this module, and OpenTelemetry isn't even loaded.
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from discovery.call.call_state import Layer, Outgoing, Send
from discovery.call.call_status import at_once
from discovery.rules.method import Kind, Method

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from discovery.aio.stream import Stream
    from discovery.telemetry.spans import AttemptRecord, CallRecord, MethodRecorder, Recorder

_OK = grpc.StatusCode.OK
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


def call_layer(recorder: "Recorder | None") -> Layer:
    """Tell of every call."""

    def build(method: Method, below: Send) -> Send:
        if recorder is None:
            return below
        of_kind = _unary_call if method.kind is Kind.UNARY_UNARY else _stream_call
        return of_kind(recorder.of_method(method), below)

    return build


def attempt_layer(recorder: "Recorder | None") -> Layer:
    """Tell of every attempt, and pass the trace on to its server."""

    def build(method: Method, below: Send) -> Send:
        if recorder is None:
            return below
        return _unary_attempt(below) if method.kind is Kind.UNARY_UNARY else _stream_attempt(below)

    return build


def _unary_call(recorder: "MethodRecorder", below: Send) -> Send:
    async def send(outgoing: Outgoing) -> Any:
        record = outgoing.record = recorder.begin(outgoing.metadata)
        try:
            response = await below(outgoing)
        except BaseException as error:
            record.end(code_of(error))
            raise
        record.end(_OK)
        return response

    return send


def _stream_call(recorder: "MethodRecorder", below: Send) -> Send:
    def send(outgoing: Outgoing) -> Any:
        record = outgoing.record = recorder.begin(outgoing.metadata)
        try:
            return below(outgoing)
        except BaseException as error:
            record.end(code_of(error))
            raise

    return send


def _unary_attempt(below: Send) -> Send:
    async def send(outgoing: Outgoing) -> Any:
        attempt = begin_attempt(outgoing)
        try:
            response = await below(outgoing)
        except BaseException as error:
            attempt.end(code_of(error))
            raise
        attempt.end(_OK)
        return response

    return send


def _stream_attempt(below: Send) -> Send:
    def send(outgoing: Outgoing) -> Any:
        attempt = begin_attempt(outgoing)
        try:
            rpc = below(outgoing)
        except BaseException as error:
            attempt.end(code_of(error))
            raise
        rpc.add_done_callback(partial(_attempt_ended, attempt))
        return rpc

    return send


def begin_attempt(outgoing: Outgoing) -> "AttemptRecord":
    """An attempt begins, on the picked instance; its headers carry the trace."""
    subchannel: Any = outgoing.subchannel
    record: Any = outgoing.record
    attempt: AttemptRecord = record.attempt(subchannel.instance)
    outgoing.headers = attempt.headers(outgoing.headers)
    return attempt


def _attempt_ended(attempt: "AttemptRecord", rpc: grpc.aio.Call) -> None:
    attempt.end(at_once(rpc.code()))


def follow(stream: "Stream", record: "CallRecord | None") -> None:
    """Tell how a stream ends: as its last attempt does, or by what kept it from opening."""
    if record is not None:
        stream.add_done_callback(partial(_stream_ended, stream, record))


def _stream_ended(stream: "Stream", record: "CallRecord") -> None:
    record.end(None if stream.failure is None else code_of(stream.failure))


def code_of(error: BaseException) -> grpc.StatusCode:
    """The status of what ended an RPC, as its caller sees it."""
    if isinstance(error, grpc.RpcError):
        failure: Any = error
        code: grpc.StatusCode = failure.code()
        return code
    if isinstance(error, asyncio.CancelledError | GeneratorExit | grpc.FutureCancelledError):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN
